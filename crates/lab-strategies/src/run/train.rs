//! The loop of every run: hear commands, make a step, report, save checkpoints.

use super::context::RunContext;
use super::learner::Learner;
use super::snapshot::{self, Origin};
use super::strategy::Strategy;
use lab_protocol::{Command, GenerateRequest, LabError, RunResult, StopReason};

/// Trains a strategy to its result, from a checkpoint if one is given.
pub(crate) async fn train(
    strategy: &dyn Strategy,
    run: &RunContext,
    checkpoint: Option<Vec<u8>>,
) -> Result<RunResult, LabError> {
    let mut learner = strategy.begin(run).await?;
    let mut info = learner.info();
    let origin = Origin::new(strategy.kind(), learner.origin(), run);
    info.strategy = strategy.kind().to_owned();
    if let Some(bytes) = checkpoint {
        let (step, snapshot) = snapshot::read(&bytes, &origin)?;
        learner.restore(snapshot, run).await?;
        info.first_step = step;
    }
    let mut training = Training {
        run,
        origin,
        steps: info.steps,
        step: info.first_step,
        learner,
        paused: false,
        step_once: false,
    };
    let declared = info.metrics.clone();
    run.started(info);
    let mut stop_reason = training.make_steps().await?;
    let learned = training.learner.finish(stop_reason, run).await?;
    // A stopped run that is continued makes its end again.
    if stop_reason != StopReason::Stopped && run.stop.requested().await {
        training.keep().await?;
        stop_reason = StopReason::Stopped;
    }
    Ok(RunResult {
        declared,
        strategy: run.strategy.clone(),
        stop_reason,
        steps: training.step,
        best_step: learned.best_step.unwrap_or(training.step),
        seconds: run.seconds(),
        metrics: learned.metrics,
        files: learned.files,
    })
}

/// A run in progress.
struct Training<'a> {
    run: &'a RunContext,
    learner: Box<dyn Learner>,
    origin: Origin,
    steps: usize,
    /// Number of steps made.
    step: usize,
    paused: bool,
    /// Whether one step may be made in spite of the pause.
    step_once: bool,
}

impl Training<'_> {
    async fn make_steps(&mut self) -> Result<StopReason, LabError> {
        let run = self.run;
        if self.step == 0 {
            // The report before the first step cannot end the run: a step is made first.
            let _ = self.learner.report(0, run).await?;
        }
        while self.step < self.steps {
            if self.told_to_stop().await? {
                if self.step > 0 {
                    self.keep().await?;
                }
                return Ok(StopReason::Stopped);
            }
            run.step_begins();
            let mut made = self.learner.step(self.step + 1, run).await?;
            self.step += made.count;
            let speed = run.step_ends(self.step, self.steps, made.tokens);
            made.metrics.insert("tokens_per_second".to_owned(), speed);
            run.record(self.step, made.metrics);
            let useless = self.learner.report(self.step, run).await?.is_break();
            if !useless && self.learner.checkpoint_due(self.step) {
                self.keep().await?;
            }
            if self.paused {
                run.paused(self.step);
            }
            if useless {
                return Ok(StopReason::EarlyStopping);
            }
        }
        Ok(StopReason::Completed)
    }

    /// Obeys commands, and waits while paused. Returns whether the run was told to stop.
    async fn told_to_stop(&mut self) -> Result<bool, LabError> {
        let run = self.run;
        loop {
            let command = match run.commands().next().await {
                Some(command) => command,
                None if !self.paused || std::mem::take(&mut self.step_once) => return Ok(false),
                None => {
                    let began = run.now();
                    let command = run.commands().wait().await;
                    run.waited_since(began);
                    match command {
                        Some(command) => command,
                        // Nobody can resume the run any more.
                        None => return Ok(true),
                    }
                }
            };
            match command {
                Command::Pause { .. } => {
                    self.paused = true;
                    run.paused(self.step);
                }
                Command::Resume { .. } => {
                    self.paused = false;
                    run.resumed(self.step);
                }
                Command::Step { .. } => (self.paused, self.step_once) = (true, true),
                Command::Stop { .. } => return Ok(true),
                Command::Checkpoint { .. } => self.keep().await?,
                Command::Generate { request, .. } => self.generate(&request).await,
                // These commands start something else, under ids that the host keeps apart.
                Command::Start { .. }
                | Command::Ask { .. }
                | Command::Write { .. }
                | Command::Retrieve { .. }
                | Command::Vote { .. } => {}
            }
        }
    }

    async fn keep(&self) -> Result<(), LabError> {
        let state = self.learner.save().await?;
        let bytes = snapshot::write(&self.origin, self.step, state)?;
        self.run.checkpoint(self.step, bytes);
        Ok(())
    }

    async fn generate(&self, request: &GenerateRequest) {
        match self.learner.generate(request, self.run).await {
            Ok(Some(sample)) => self.run.sample(self.step, sample),
            Ok(None) => {}
            // A failed request to write must not end the run.
            Err(error) => self.run.warn(error.to_string()),
        }
    }
}
