//! A run that improves a policy by its own answers: first the reward, then update after update.

use super::base::fingerprint;
use super::data::{PreferenceData, Prompt, Wanted};
use super::driver::{Advance, Learner, drive};
use super::experience::{Experience, Pass};
use super::judge::{Judge, Judgement, compare};
use super::report::{Measured, metrics, record, sums_of_differences};
use super::reward_stage::{RewardStage, RewardState, answers_of, pairs_of_step};
use super::rollout::Sampler;
use super::update::{UpdateSettings, update};
use super::watch::{Seen, Watch};
use super::{read_state, write_state};
use crate::learning::base::Base;
use crate::run::context::RunContext;
use async_trait::async_trait;
use burn::module::Module;
use lab_model::decoder::Decoder;
use lab_model::optimizer::{AdamW, learning_rate};
use lab_model::parameters;
use lab_model::rl::{PolicyWithValue, ScalarHead, mean_and_deviation};
use lab_protocol::{
    ErrorCode, LabError, LoraConfig, OptimizerConfig, PreferenceExample, ReportConfig,
    RewardConfig, RewardModelConfig, RolloutConfig, RunInfo, RunResult, StopReason,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// What one way of improving a policy does differently from another.
pub(crate) trait Recipe {
    /// Updates to be made.
    fn steps(&self) -> usize;

    /// Prompts of an update, and answers to each of them.
    fn answers(&self) -> (usize, usize);

    /// Sequences of a minibatch.
    fn minibatch(&self) -> usize {
        let (prompts, group) = self.answers();
        prompts * group / self.minibatches().max(1)
    }

    fn minibatches(&self) -> usize;

    fn optimizer(&self) -> &OptimizerConfig;

    /// What a nat of divergence costs now.
    fn kl_coefficient(&self) -> f64;

    /// Hears of the divergence of an update's sequences, in nats a sequence.
    fn adapt(&mut self, _kl: f64, _sequences: usize) {}

    /// Continues with a coefficient that was adapted earlier.
    fn restore_kl(&mut self, _coefficient: f64) {}

    /// Finds the advantages from the score of each sequence.
    fn estimate(&self, experience: &mut Experience, scores: &[f64]);

    /// How update `step` (from 1) is made; device, context, temperature, seed and rate are given.
    fn settings<'a>(&self, given: UpdateSettings<'a>) -> UpdateSettings<'a>;
}

/// The parts of a configuration that all recipes share.
pub(crate) struct Shared<'a> {
    pub reward: &'a RewardConfig,
    pub reward_model: &'a RewardModelConfig,
    pub rollout: &'a RolloutConfig,
    pub report: &'a ReportConfig,
    pub lora: Option<&'a LoraConfig>,
    pub preferences: &'a [PreferenceExample],
    /// The whole of it, with every default filled in.
    pub config: Value,
}

/// Runs a recipe from the run's base to its result.
pub(crate) async fn run_recipe<'c, R: Recipe>(
    recipe: R,
    shared: Shared<'c>,
    name: &'c str,
    run: &mut RunContext,
) -> Result<RunResult, LabError> {
    let mut policy_run = PolicyRun::new(recipe, shared, name, run).await?;
    run.started(policy_run.info());
    if let Some(left_out) = policy_run.data.left_out() {
        run.warn(left_out);
    }
    let stop_reason = drive(&mut policy_run, run).await?;
    policy_run.result(stop_reason, run).await
}

struct PolicyRun<'c, R> {
    recipe: R,
    name: &'c str,
    shared: Shared<'c>,
    base: Base,
    data: PreferenceData,
    reward: RewardStage,
    /// Taken out while it is updated.
    policy: Option<PolicyWithValue>,
    /// The base, frozen.
    reference: Decoder,
    optimizer: AdamW,
    sampler: Sampler,
    judge: Judge,
    state: State,
    /// Answers of the last update with their rewards, to be shown.
    shown: Vec<(String, String, f64)>,
}

/// Where a run stands; the rest follows from seed and step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    step: usize,
    episodes: usize,
    updates: usize,
    kl_coefficient: f64,
    reward: RewardState,
    watch: Watch,
    /// What the base is worth.
    start: Option<Judgement>,
    /// Of the last update.
    last: BTreeMap<String, f64>,
    config: Value,
    seed: u64,
    data_hash: String,
    base: String,
}

impl<'c, R: Recipe> PolicyRun<'c, R> {
    async fn new(
        recipe: R,
        shared: Shared<'c>,
        name: &'c str,
        run: &mut RunContext,
    ) -> Result<Self, LabError> {
        let base = Base::load(run).await?;
        let end = base.end_of_answers(&shared.rollout.stop)?;
        let wanted = Wanted {
            pairs: *shared.reward == RewardConfig::Model {},
            collected: shared.preferences,
            response_tokens: shared.rollout.response_tokens,
            end,
        };
        let data = PreferenceData::new(&run.data, &base, wanted)?;
        let sampler = Sampler::new(shared.rollout, end, run.seed);
        let most = shared.report.evaluation_prompts;
        let judge = Judge::new(&data, &base, sampler.clone(), most, run)?;
        let function = run.reward.clone();
        let reward = RewardStage::new(shared.reward, shared.reward_model, function, &base, run)?;
        let policy = PolicyWithValue {
            decoder: base.to_train(shared.lora, run.seed, &run.device)?,
            value: ScalarHead::zeros(base.shape.width, &run.device),
        };
        let settings = recipe.optimizer().training(recipe.steps());
        let mut created = Self {
            optimizer: AdamW::new(&settings, &policy, &run.device),
            reference: base.model.valid(),
            policy: Some(policy),
            state: State {
                kl_coefficient: recipe.kl_coefficient(),
                config: shared.config.clone(),
                seed: run.seed,
                data_hash: run.data.hash.clone(),
                base: fingerprint(&run.base),
                ..Default::default()
            },
            shown: Vec::new(),
            recipe,
            name,
            shared,
            base,
            data,
            reward,
            sampler,
            judge,
        };
        if let Some(bytes) = run.checkpoint.take() {
            created.restore(&bytes, run)?;
        }
        Ok(created)
    }

    fn policy_of(&self) -> Result<&PolicyWithValue, LabError> {
        let policy = self.policy.as_ref();
        policy.ok_or_else(|| LabError::internal("the policy was lost in an update"))
    }

    fn info(&self) -> RunInfo {
        let tokens = |pairs: &[super::EncodedPair]| -> usize {
            let lengths = pairs
                .iter()
                .map(|pair| pair.chosen.len() + pair.rejected.len());
            lengths.sum()
        };
        let (prompts, group) = self.recipe.answers();
        let (_, steps) = self.progress();
        RunInfo {
            strategy: self.name.to_owned(),
            config: self.shared.config.clone(),
            steps,
            first_step: self.state.step,
            parameters: self.base.model.num_params(),
            vocabulary: self.base.tokenizer.vocabulary(),
            training_tokens: tokens(&self.data.training),
            validation_tokens: tokens(&self.data.held_out),
            tokens_per_step: prompts * group * self.shared.rollout.response_tokens,
            examples: Vec::new(),
        }
    }

    /// Before the first update: the reward's scale, and what the base is worth.
    async fn begin(&mut self, run: &mut RunContext) -> Result<(), LabError> {
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
        record(run, self.state.step, &start);
        self.state.start = Some(start);
        Ok(())
    }

    /// One update on fresh answers; `number` counts them from 1.
    async fn improve(&mut self, number: usize, run: &mut RunContext) -> Result<Advance, LabError> {
        let (count, group) = self.recipe.answers();
        let chosen = pairs_of_step(self.data.prompts.len(), count, run.seed, number);
        let asked: Vec<&Prompt> = chosen
            .iter()
            .filter_map(|&index| self.data.prompts.get(index))
            .flat_map(|prompt| std::iter::repeat_n(prompt, group))
            .collect();
        let prompts: Vec<&[u32]> = asked.iter().map(|p| p.tokens.as_slice()).collect();
        let policy = self.policy_of()?.valid();
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
            rows: self.recipe.minibatch(),
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
            clip: 0.2,
            entropy_coefficient: 0.0,
            value: None,
            kl_loss: None,
            maximum_kl: 0.0,
        });
        let policy = self.policy.take();
        let policy =
            policy.ok_or_else(|| LabError::internal("the policy was lost in an update"))?;
        let (policy, values) = update(policy, &mut self.optimizer, &experience, &settings).await?;
        self.policy = Some(policy);
        self.state.episodes += sequences.len();

        let kl: Vec<f64> = sums_of_differences(&experience);
        let lengths: Vec<f64> = answers.iter().map(|answer| answer.tokens as f64).collect();
        let warnings = self.state.watch.see(&Seen {
            step: self.state.step + 1,
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
            .map(|(answer, reward)| (answer.prompt, answer.response, *reward))
            .collect();
        self.state.last = found
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect();
        let tokens = sequences.iter().map(|sequence| sequence.len()).sum();
        Ok(Advance {
            tokens,
            values: found,
        })
    }

    fn restore(&mut self, bytes: &[u8], run: &RunContext) -> Result<(), LabError> {
        let (mut groups, state) = read_state::<State>(bytes)?;
        let differs = [
            ("configuration", state.config != self.state.config),
            ("seed", state.seed != self.state.seed),
            ("data", state.data_hash != self.state.data_hash),
            ("model to start from", state.base != self.state.base),
        ];
        if let Some((what, _)) = differs.iter().find(|(_, differs)| *differs) {
            return Err(LabError::new(
                ErrorCode::InvalidCheckpoint,
                format!("the checkpoint was written with another {what}"),
                "Continue with the same experiment, seed and data, or start a new run.",
            )
            .at("checkpoint"));
        }
        self.reward
            .restore(&mut groups, state.reward.clone(), &run.device)?;
        if let Some(tensors) = groups.remove("policy") {
            let policy = self.policy_of()?.clone();
            self.policy = Some(parameters::trainable_from_host(
                policy,
                &tensors,
                &run.device,
            )?);
            let moments = groups.remove("policy_optimizer").unwrap_or_default();
            self.optimizer.load(moments, state.updates, &run.device)?;
        }
        self.recipe.restore_kl(state.kl_coefficient);
        self.state = state;
        Ok(())
    }

    async fn result(
        mut self,
        stop_reason: StopReason,
        run: &mut RunContext,
    ) -> Result<RunResult, LabError> {
        let policy = self.policy_of()?.decoder.valid();
        let mut metrics = std::mem::take(&mut self.state.last);
        let state = &self.reward.state;
        metrics.extend(
            state
                .accuracy
                .map(|value| ("reward_accuracy".to_owned(), value)),
        );
        let training = state.training_accuracy;
        metrics.extend(training.map(|value| ("training_reward_accuracy".to_owned(), value)));
        // Who stopped the run does not want to wait.
        if stop_reason == StopReason::Completed {
            let scorer = self.reward.scorer()?;
            let end = self
                .judge
                .judge(&policy, &self.base, Some(scorer), run)
                .await?;
            let start = self.state.start.clone().unwrap_or_default();
            let compared = compare(&start, &end.unwrap_or_default());
            record(run, self.state.step, &compared);
            metrics.extend(compared);
        }
        Ok(RunResult {
            declared: Vec::new(),
            strategy: run.strategy.clone(),
            stop_reason,
            steps: self.state.step,
            best_step: self.state.step,
            seconds: run.seconds(),
            metrics,
            files: self.base.trained_files(&policy, self.shared.lora).await?,
        })
    }
}

#[async_trait(?Send)]
impl<R: Recipe> Learner for PolicyRun<'_, R> {
    fn progress(&self) -> (usize, usize) {
        (self.state.step, self.reward.steps() + self.recipe.steps())
    }

    fn checkpoint_interval(&self) -> usize {
        self.shared.report.checkpoint_interval
    }

    async fn advance(&mut self, run: &mut RunContext) -> Result<Advance, LabError> {
        let (next, first) = (self.state.step + 1, self.reward.steps());
        let advance = if next <= first {
            self.reward.advance(next, &self.data, run).await?
        } else {
            self.begin(run).await?;
            self.improve(next - first, run).await?
        };
        self.state.step = next;
        Ok(advance)
    }

    async fn report(&mut self, run: &mut RunContext) -> Result<(), LabError> {
        let (step, steps) = self.progress();
        let Some(number) = step.checked_sub(self.reward.steps()).filter(|n| *n > 0) else {
            return Ok(());
        };
        let due = |interval: usize| interval > 0 && number.is_multiple_of(interval);
        if due(self.shared.report.sample_interval) || step == steps {
            for (prompt, text, reward) in self.shown.drain(..) {
                run.rewarded_sample(step, prompt, text, reward);
            }
        }
        if due(self.shared.report.evaluation_interval) && step < steps {
            let policy = self.policy_of()?.decoder.valid();
            let scorer = self.reward.scorer()?;
            let found = self
                .judge
                .judge(&policy, &self.base, Some(scorer), run)
                .await?;
            record(run, step, &found.unwrap_or_default());
        }
        Ok(())
    }

    async fn save(&self, _run: &RunContext) -> Result<Vec<u8>, LabError> {
        let mut groups = HashMap::new();
        let mut state = self.state.clone();
        state.reward = self.reward.save(&mut groups).await?;
        if state.step > self.reward.steps() {
            let (moments, updates) = self.optimizer.to_host().await?;
            state.updates = updates;
            groups.insert("policy_optimizer".into(), moments);
            let policy = parameters::trainable_to_host(self.policy_of()?).await?;
            groups.insert("policy".into(), policy);
        }
        write_state(groups, &state)
    }

    fn policy(&self) -> &Decoder {
        self.policy
            .as_ref()
            .map_or(&self.base.model, |policy| &policy.decoder)
    }

    fn base(&self) -> &Base {
        &self.base
    }
}
