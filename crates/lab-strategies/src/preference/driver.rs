//! The loop that all of them share: hear commands, make a step, report, keep.

use crate::learning;
use crate::learning::base::Base;
use crate::run::context::{Control, RunContext};
use async_trait::async_trait;
use lab_model::decoder::Decoder;
use lab_protocol::{LabError, StopReason};

/// What a step measured.
pub(crate) struct Advance {
    pub tokens: usize,
    pub values: Vec<(&'static str, f64)>,
}

/// Something that learns step by step.
#[async_trait(?Send)]
pub(crate) trait Learner {
    /// Steps made, and steps to be made.
    fn progress(&self) -> (usize, usize);

    /// Steps between checkpoints; 0 means none.
    fn checkpoint_interval(&self) -> usize;

    /// Makes the next step.
    async fn advance(&mut self, run: &mut RunContext) -> Result<Advance, LabError>;

    /// What follows a step and is not part of it: evaluations, samples.
    async fn report(&mut self, run: &mut RunContext) -> Result<(), LabError>;

    /// The state from which the run can be continued.
    async fn save(&self, run: &RunContext) -> Result<Vec<u8>, LabError>;

    /// The model as it is.
    fn policy(&self) -> &Decoder;

    fn base(&self) -> &Base;
}

/// Trains to the end, or until the run is stopped.
pub(crate) async fn drive(
    learner: &mut dyn Learner,
    run: &mut RunContext,
) -> Result<StopReason, LabError> {
    loop {
        let (step, steps) = learner.progress();
        if step >= steps {
            return Ok(StopReason::Completed);
        }
        match run.control(step).await {
            Control::Continue => {}
            Control::Stop => {
                if step > 0 {
                    run.checkpoint(step, learner.save(run).await?);
                }
                return Ok(StopReason::Stopped);
            }
            Control::Checkpoint => {
                run.checkpoint(step, learner.save(run).await?);
                continue;
            }
            Control::Generate(request) => {
                let (policy, base) = (learner.policy(), learner.base());
                // A prompt that cannot be read must not end the run.
                match learning::write(policy, &base.tokenizer, None, &request, run).await {
                    Ok(text) => run.sample(step, request.prompt, text),
                    Err(error) if error.code.is_input() => run.warn(error.to_string()),
                    Err(error) => return Err(error),
                }
                continue;
            }
        }
        run.step_begins();
        let Advance { tokens, mut values } = learner.advance(run).await?;
        let step = step + 1;
        values.push(("tokens_per_second", run.step_done(step, steps, tokens)));
        run.record_metrics(step, &values);
        learner.report(run).await?;
        let interval = learner.checkpoint_interval();
        if interval > 0 && step.is_multiple_of(interval) && step < steps {
            run.checkpoint(step, learner.save(run).await?);
        }
        run.step_made(step);
    }
}
