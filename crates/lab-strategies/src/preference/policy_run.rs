//! A run that improves a policy by its own answers: first the reward, then update after update.

use super::data::{EncodedPair, EncodedPrompt, PreferenceData, Wanted};
use super::experience::{Experience, Pass};
use super::judge::{Judge, Judgement, compare};
use super::order::Order;
use super::pairs::at_once;
use super::recipe::{Recipe, Shared};
use super::report::{Measured, metrics, sums_of_differences};
use super::reward_stage::{RewardStage, RewardState, answers_of};
use super::rollout::Sampler;
use super::update::{UpdateSettings, update};
use super::watch::{Seen, Watch};
use crate::asking::continuation::write;
use crate::learning::trainee::Trainee;
use crate::run::base::Base;
use crate::run::context::RunContext;
use crate::run::learner::{Learned, Learner, Step, named};
use crate::run::prompts::Prompt;
use crate::run::sample::Sample;
use crate::run::snapshot::Snapshot;
use async_trait::async_trait;
use burn::module::Module;
use lab_model::decoder::Decoder;
use lab_model::formats::WeightForm;
use lab_model::memory::{MemoryNeeded, PassSize};
use lab_model::optimizer::learning_rate;
use lab_model::prompts::PromptFormat;
use lab_model::rl::{PolicyWithValue, ScalarHead, mean_and_deviation};
use lab_protocol::{GenerateRequest, GrpoLossType, LabError, RewardConfig, RunInfo, StopReason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// The group of the policy in a snapshot.
const POLICY: &str = "policy";

/// Improves a policy by a recipe.
pub(crate) struct PolicyRun<R> {
    recipe: R,
    shared: Shared,
    base: Base,
    data: PreferenceData,
    /// The order of the prompts.
    order: Order,
    reward: RewardStage,
    policy: Trainee<PolicyWithValue>,
    /// The base, frozen.
    reference: Decoder,
    sampler: Sampler,
    judge: Judge,
    state: State,
    /// Answers of the last update with their rewards, for samples.
    shown: Vec<Sample>,
}

/// The small state of a checkpoint, beside its tensors; the rest follows from seed and step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    episodes: usize,
    kl_coefficient: f64,
    reward: RewardState,
    watch: Watch,
    /// Results of the base.
    start: Option<Judgement>,
    /// Metrics of the last update.
    last: BTreeMap<String, f64>,
}

impl<R: Recipe> PolicyRun<R> {
    /// Starts with the run's base as policy and reference.
    pub(crate) async fn new(recipe: R, shared: Shared, run: &RunContext) -> Result<Self, LabError> {
        let base = Base::load(run, WeightForm::Floats).await?;
        let end = base.end_of_answers(&shared.rollout.stop)?;
        let wanted = Wanted {
            pairs: shared.reward == RewardConfig::Model {},
            collected: &shared.preferences,
            on_error: shared.on_error,
            response_tokens: shared.rollout.response_tokens,
            ends: end.as_slice(),
            seed: run.seed,
        };
        let data = PreferenceData::new(&run.data, &base, wanted)?;
        if let Some(left_out) = data.left_out() {
            run.warn(left_out);
        }
        let sampler = Sampler::new(&shared.rollout, end, run.seed);
        let max_prompts = shared.report.evaluation_prompts;
        let judge = Judge::new(&data, &base, sampler.clone(), max_prompts, run)?;
        let function = run.reward.clone();
        let model = &shared.reward_model;
        let reward = RewardStage::new(&shared.reward, model, function, &base, &data, run)?;
        let policy = PolicyWithValue {
            decoder: base.to_train(shared.lora.as_ref(), run.seed, &run.device)?,
            value: ScalarHead::zeros(base.shape.width, &run.device),
        };
        let longest = data.longest_prompt();
        let (prompts, group) = recipe.answers();
        let rows = at_once(recipe.micro_batch_size(), recipe.minibatch());
        let size = PassSize {
            rows,
            columns: base.shape.context.min(longest + sampler.response_tokens),
            predicted: rows * sampler.response_tokens,
        };
        let resident = MemoryNeeded::frozen(&base.model).and(reward.resident);
        let resident = resident.and(MemoryNeeded::trained(&policy));
        let writing = sampler.memory(&base, longest, max_prompts.max(prompts * group));
        let step = reward.step.or(base.step_memory(&policy, size)).or(writing);
        run.must_fit(resident.and(step.or(MemoryNeeded::checkpoint(&policy, 1))))?;
        let settings = recipe.optimizer().training(recipe.steps());
        Ok(Self {
            policy: Trainee::new(policy, &settings, "optimizer.learning_rate", &run.device),
            reference: base.model.valid(),
            state: State {
                kl_coefficient: recipe.kl_coefficient(),
                ..State::default()
            },
            shown: Vec::new(),
            order: Order::new(data.prompts.len(), prompts, run.seed),
            recipe,
            shared,
            base,
            data,
            reward,
            sampler,
            judge,
        })
    }

    /// Steps of the reward model and of the policy.
    fn steps(&self) -> usize {
        self.reward.steps() + self.recipe.steps()
    }

    /// Before the first update: measures the reward's scale, and evaluates the base.
    async fn judge_start(&mut self, run: &RunContext) -> Result<(), LabError> {
        if self.state.start.is_some() {
            return Ok(());
        }
        let (prompts, tokenizer) = (&self.data.prompts, &self.base.tokenizer);
        self.reward
            .finish(&self.reference, prompts, tokenizer, &self.sampler, run)
            .await?;
        let scorer = self.reward.scorer()?;
        let start = self
            .judge
            .judge(&self.reference, &self.base, Some(scorer), run)
            .await?;
        let start = start.unwrap_or_default();
        run.record(self.reward.steps(), start.clone());
        self.state.start = Some(start);
        Ok(())
    }

    /// One update on fresh answers; `number` counts updates from 1.
    async fn improve(&mut self, number: usize, run: &RunContext) -> Result<Step, LabError> {
        let (_, group) = self.recipe.answers();
        let chosen = self.order.of_step(number);
        let asked: Vec<&EncodedPrompt> = chosen
            .iter()
            .filter_map(|&index| self.data.prompts.get(index))
            .flat_map(|prompt| std::iter::repeat_n(prompt, group))
            .collect();
        let prompts: Vec<&[u32]> = asked.iter().map(|p| p.tokens.as_slice()).collect();
        let policy = self.policy.model()?.valid();
        let device = run.device.clone();
        let responses = self
            .sampler
            .answer(&policy.decoder, &prompts, number as u64)
            .await?;
        let (sequences, answers) =
            answers_of(&asked, &responses, &self.base.tokenizer, self.sampler.end);
        let scorer = self.reward.scorer()?;
        let rewards = scorer.rewards(&sequences, &answers, &device).await?;
        let penalty = self.shared.rollout.missing_eos_penalty;
        let scores: Vec<f64> = rewards
            .iter()
            .zip(&responses)
            .map(|(reward, response)| {
                let missing = self.sampler.end.is_some() && !response.ended;
                scorer.normalised(*reward) - if missing { penalty } else { 0.0 }
            })
            .collect();
        let pass = Pass {
            device: &device,
            context: self.base.shape.context,
            temperature: self.sampler.temperature,
            rows: at_once(self.recipe.micro_batch_size(), self.recipe.minibatch()),
        };
        let mut experience =
            Experience::new(&policy, &self.reference, &prompts, &responses, &pass).await?;
        self.recipe.estimate(&mut experience, &scores);
        let training = self.recipe.optimizer().training(self.recipe.steps());
        let rate = learning_rate(&training, number);
        let settings = self.recipe.settings(UpdateSettings {
            device: &device,
            context: pass.context,
            temperature: pass.temperature,
            seed: run.seed,
            step: number,
            learning_rate: rate,
            epochs: 1,
            minibatches: self.recipe.minibatches(),
            micro_batch_size: self.recipe.micro_batch_size(),
            loss_type: GrpoLossType::Bnpo,
            response_tokens: self.sampler.response_tokens,
            clip: 0.2,
            entropy_coefficient: 0.0,
            value: None,
            kl_loss: None,
            maximum_kl: 0.0,
        });
        let values = update(&mut self.policy, &experience, &settings).await?;
        self.state.episodes += sequences.len();

        let kl: Vec<f64> = sums_of_differences(&experience);
        let lengths: Vec<f64> = answers.iter().map(|answer| answer.tokens as f64).collect();
        let warnings = self.state.watch.see(&Seen {
            step: self.reward.steps() + number,
            kl: &kl,
            sampling_error: experience.sampling_error,
            entropy: experience.entropy,
            ratio: values.ratio,
            first: values.first,
            rewards: &rewards,
            lengths: &lengths,
        });
        warnings.into_iter().for_each(|warning| run.warn(warning));
        let ended = responses.iter().filter(|response| response.ended).count();
        let measured = Measured {
            kl: mean_and_deviation(&kl).0,
            scores: mean_and_deviation(&scores).0,
            rewards: &rewards,
            lengths: &lengths,
            ended,
            rate,
            coefficient: self.recipe.kl_coefficient(),
            episodes: self.state.episodes,
            seconds: run.seconds(),
        };
        let mut found = metrics(&experience, &values, &measured);
        let accuracy = self.reward.state.accuracy;
        let accuracy = accuracy.or(self.reward.state.training_accuracy);
        found.extend(accuracy.map(|value| ("reward_accuracy", value)));
        let kl = mean_and_deviation(&kl).0;
        self.recipe.adapt(kl, sequences.len());
        self.state.kl_coefficient = self.recipe.kl_coefficient();
        self.shown = answers
            .into_iter()
            .zip(&rewards)
            .take(self.shared.report.samples)
            .map(|(answer, reward)| Sample {
                reward: Some(*reward),
                ..Sample::new(answer.prompt, answer.response)
            })
            .collect();
        self.state.last = named(found.clone());
        let tokens = sequences.iter().map(|sequence| sequence.len()).sum();
        Ok(Step::new(tokens, found))
    }

    /// Evaluates the current policy.
    async fn judge(&self, run: &RunContext) -> Result<Judgement, LabError> {
        let policy = self.policy.model()?.decoder.valid();
        let scorer = self.reward.scorer()?;
        let found = self.judge.judge(&policy, &self.base, Some(scorer), run);
        Ok(found.await?.unwrap_or_default())
    }
}

#[async_trait(?Send)]
impl<R: Recipe> Learner for PolicyRun<R> {
    fn info(&self) -> RunInfo {
        let tokens = |pairs: &[EncodedPair]| -> usize {
            let lengths = pairs
                .iter()
                .map(|pair| pair.chosen.len() + pair.rejected.len());
            lengths.sum()
        };
        let (prompts, group) = self.recipe.answers();
        RunInfo {
            config: self.shared.config.clone(),
            steps: self.steps(),
            parameters: self.base.model.num_params(),
            vocabulary: self.base.tokenizer.vocabulary(),
            training_tokens: tokens(&self.data.training),
            validation_tokens: tokens(&self.data.held_out),
            tokens_per_step: prompts * group * self.shared.rollout.response_tokens,
            skipped_rows: self.data.skipped.report(),
            ..RunInfo::default()
        }
    }

    async fn step(&mut self, step: usize, run: &RunContext) -> Result<Step, LabError> {
        match step.checked_sub(self.reward.steps()) {
            None | Some(0) => self.reward.advance(step, &self.data, run).await,
            Some(number) => {
                self.judge_start(run).await?;
                self.improve(number, run).await
            }
        }
    }

    async fn report(&mut self, step: usize, run: &RunContext) -> Result<ControlFlow<()>, LabError> {
        let go_on = Ok(ControlFlow::Continue(()));
        let Some(number) = step.checked_sub(self.reward.steps()).filter(|n| *n > 0) else {
            return go_on;
        };
        let due = |interval: usize| interval > 0 && number.is_multiple_of(interval);
        if due(self.shared.report.sample_interval) || step == self.steps() {
            for sample in self.shown.drain(..) {
                run.sample(step, sample);
            }
        }
        if due(self.shared.report.evaluation_interval) && step < self.steps() {
            run.record(step, self.judge(run).await?);
        }
        go_on
    }

    fn checkpoint_due(&self, step: usize) -> bool {
        let interval = self.shared.report.checkpoint_interval;
        interval > 0 && step.is_multiple_of(interval) && step < self.steps()
    }

    async fn save(&self) -> Result<Snapshot, LabError> {
        let mut snapshot = Snapshot::new(&State {
            reward: self.reward.state.clone(),
            ..self.state.clone()
        })?;
        self.reward.save(&mut snapshot).await?;
        // Before the first update the policy is the base.
        if self.state.episodes > 0 {
            self.policy.save(POLICY, &mut snapshot).await?;
        }
        Ok(snapshot)
    }

    async fn restore(&mut self, mut snapshot: Snapshot, run: &RunContext) -> Result<(), LabError> {
        self.state = snapshot.state()?;
        let reward = self.state.reward.clone();
        self.reward.restore(&mut snapshot, reward, &run.device)?;
        if self.state.episodes > 0 {
            self.policy.restore(POLICY, &mut snapshot)?;
        }
        self.recipe.restore_kl(self.state.kl_coefficient);
        Ok(())
    }

    async fn generate(
        &self,
        request: &GenerateRequest,
        run: &RunContext,
    ) -> Result<Option<Sample>, LabError> {
        let policy = &self.policy.model()?.decoder;
        let format = PromptFormat {
            ends: &self.base.ends_of_answers(self.sampler.end),
            ..self.base.format()
        };
        let prompt = Prompt::question(&request.prompt);
        let text = write(policy, &format, &prompt, request, &run.stop).await?;
        Ok(Some(Sample::new(prompt.text(), text)))
    }

    async fn finish(&mut self, reason: StopReason, run: &RunContext) -> Result<Learned, LabError> {
        let mut metrics = self.state.last.clone();
        let RewardState {
            accuracy,
            training_accuracy,
            ..
        } = self.reward.state;
        let accuracies = [
            ("reward_accuracy", accuracy),
            ("training_reward_accuracy", training_accuracy),
        ];
        let known = accuracies
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        metrics.extend(named(known));
        // A user who stopped the run does not want to wait.
        if reason == StopReason::Completed {
            let start = self.state.start.clone().unwrap_or_default();
            let compared = compare(&start, &self.judge(run).await?);
            run.record(self.steps(), compared.clone());
            metrics.extend(compared);
        }
        let (policy, lora) = (
            self.policy.model()?.decoder.valid(),
            self.shared.lora.as_ref(),
        );
        Ok(Learned {
            best_step: None,
            metrics,
            files: self.base.trained_files(&policy, lora).await?,
        })
    }
}
