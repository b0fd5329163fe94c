//! Direct preference optimisation (Rafailov et al. 2023): the policy learns from pairs of answers at once,
//! without a reward model and without samples of its own.

use super::{
    Advance, EncodedPair, Judge, Judgement, Learner, PreferenceData, Sampler, Wanted, compare,
    drive, fingerprint, pairs_of_step, read_state, record, resolved, write_state,
};
use crate::learning::base::Base;
use crate::run::context::{RunContext, TrainingData};
use crate::run::strategy::{Strategy, read_config};
use async_trait::async_trait;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::optimizer::{AdamW, learning_rate};
use lab_model::parameters;
use lab_model::rl::{self, Packed, Sequence};
use lab_protocol::{
    DpoConfig, ErrorCode, LabError, RunInfo, RunResult, StopReason, StrategyConfig,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// Trains a policy on preferences.
pub struct DpoStrategy {
    config: DpoConfig,
}

impl DpoStrategy {
    /// Reads the strategy's part of an experiment; what is not given takes its default.
    pub fn new(config: &StrategyConfig) -> Result<Self, LabError> {
        Ok(Self {
            config: read_config(config)?,
        })
    }
}

#[async_trait(?Send)]
impl Strategy for DpoStrategy {
    fn name(&self) -> &'static str {
        "dpo"
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        self.config.validate().map_err(|error| error.at("config"))?;
        PreferenceData::check(data, true, &self.config.preferences)
    }

    async fn train(&mut self, run: &mut RunContext) -> Result<RunResult, LabError> {
        let mut learner = PairLearner::new(&self.config, run).await?;
        run.started(learner.info(self.name()));
        if let Some(left_out) = learner.data.left_out() {
            run.warn(left_out);
        }
        learner.begin(run).await?;
        let stop_reason = drive(&mut learner, run).await?;
        learner.result(stop_reason, run).await
    }
}

struct PairLearner<'c> {
    config: &'c DpoConfig,
    base: Base,
    data: PreferenceData,
    /// Taken out while it is updated.
    policy: Option<Decoder>,
    /// The base, frozen.
    reference: Decoder,
    optimizer: AdamW,
    sampler: Sampler,
    judge: Judge,
    state: State,
}

/// Where a run stands; the pairs of a step follow from seed and step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    step: usize,
    updates: usize,
    start: Option<Judgement>,
    accuracy: Option<f64>,
    last: BTreeMap<String, f64>,
    config: Value,
    seed: u64,
    data_hash: String,
    base: String,
}

/// Pairs of an evaluation that are looked at in one pass.
const PAIRS: usize = 16;

impl<'c> PairLearner<'c> {
    async fn new(config: &'c DpoConfig, run: &mut RunContext) -> Result<Self, LabError> {
        let base = Base::load(run).await?;
        let end = base.end_of_answers(&config.rollout.stop)?;
        let wanted = Wanted {
            pairs: true,
            collected: &config.preferences,
            response_tokens: config.rollout.response_tokens,
            end,
        };
        let data = PreferenceData::new(&run.data, &base, wanted)?;
        let sampler = Sampler::new(&config.rollout, end, run.seed);
        let most = config.report.evaluation_prompts;
        let settings = config.optimizer.training(config.steps);
        let policy = base.to_train(config.lora.as_ref(), run.seed, &run.device)?;
        let mut created = Self {
            judge: Judge::new(&data, &base, sampler.clone(), most, run)?,
            optimizer: AdamW::new(&settings, &policy, &run.device),
            reference: base.model.valid(),
            policy: Some(policy),
            state: State {
                config: resolved(config)?,
                seed: run.seed,
                data_hash: run.data.hash.clone(),
                base: fingerprint(&run.base),
                ..Default::default()
            },
            config,
            base,
            data,
            sampler,
        };
        if let Some(bytes) = run.checkpoint.take() {
            created.restore(&bytes, run)?;
        }
        Ok(created)
    }

    fn info(&self, name: &str) -> RunInfo {
        let tokens = |pairs: &[EncodedPair]| -> usize {
            let lengths = pairs
                .iter()
                .map(|pair| pair.chosen.len() + pair.rejected.len());
            lengths.sum()
        };
        let training_tokens = tokens(&self.data.training);
        let mean = training_tokens / self.data.training.len().max(1);
        RunInfo {
            strategy: name.to_owned(),
            config: self.state.config.clone(),
            steps: self.config.steps,
            first_step: self.state.step,
            parameters: self.base.model.num_params(),
            vocabulary: self.base.tokenizer.vocabulary(),
            training_tokens,
            validation_tokens: tokens(&self.data.held_out),
            tokens_per_step: mean * self.config.batch_size,
            examples: Vec::new(),
        }
    }

    /// What the base is worth.
    async fn begin(&mut self, run: &mut RunContext) -> Result<(), LabError> {
        if self.state.start.is_none() {
            let start = self
                .judge
                .judge(&self.reference, &self.base, None, run)
                .await?;
            let start = start.unwrap_or_default();
            record(run, self.state.step, &start);
            self.state.start = Some(start);
        }
        Ok(())
    }

    fn policy_of(&self) -> Result<&Decoder, LabError> {
        let policy = self.policy.as_ref();
        policy.ok_or_else(|| LabError::internal("the policy was lost in an update"))
    }

    /// Log-probabilities of whole answers, `[rows]`.
    fn of_answers(&self, model: &Decoder, packed: &Packed, device: &Device) -> Tensor<1> {
        let [rows, columns] = [packed.batch.rows, packed.batch.columns];
        let tokens = rl::log_probabilities(model, packed, device, 1.0, &mut Dropout::off());
        tokens.reshape([rows, columns]).sum_dim(1).reshape([rows])
    }

    /// Chosen answers of pairs, then their rejected ones.
    fn pack(&self, pairs: &[&EncodedPair]) -> Packed {
        let chosen = pairs.iter().map(|pair| &pair.chosen);
        let rejected = pairs.iter().map(|pair| &pair.rejected);
        let rows: Vec<&Sequence> = chosen.chain(rejected).collect();
        Packed::predicting(&rows).within(self.base.shape.context)
    }

    /// Share of held-out pairs in which the policy prefers the chosen answer more than the reference does.
    async fn accuracy(&self, device: &Device) -> Result<f64, LabError> {
        let policy = self.policy_of()?.valid();
        let mut right = 0;
        for pairs in self.data.held_out.chunks(PAIRS) {
            let packed = self.pack(&pairs.iter().collect::<Vec<_>>());
            let gain = self.of_answers(&policy, &packed, device)
                - self.of_answers(&self.reference, &packed, device);
            let gain = parameters::read(vec![gain]).await?.concat();
            let (chosen, rejected) = gain.split_at(pairs.len());
            right += chosen.iter().zip(rejected).filter(|(c, r)| c > r).count();
        }
        Ok(right as f64 / self.data.held_out.len().max(1) as f64)
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
        let mut group = |name: &str| groups.remove(name).unwrap_or_default();
        let policy = self.policy_of()?.clone();
        self.policy = Some(parameters::from_host(
            policy,
            &group("policy"),
            &run.device,
        )?);
        self.optimizer
            .load(group("optimizer"), state.updates, &run.device)?;
        self.state = state;
        Ok(())
    }

    async fn result(
        mut self,
        stop_reason: StopReason,
        run: &mut RunContext,
    ) -> Result<RunResult, LabError> {
        let policy = self.policy_of()?.valid();
        let mut metrics = std::mem::take(&mut self.state.last);
        if stop_reason == StopReason::Completed {
            let end = self.judge.judge(&policy, &self.base, None, run).await?;
            let start = self.state.start.clone().unwrap_or_default();
            let compared = compare(&start, &end.unwrap_or_default());
            record(run, self.state.step, &compared);
            metrics.extend(compared);
        }
        metrics.extend(
            self.state
                .accuracy
                .map(|value| ("reward_accuracy".into(), value)),
        );
        Ok(RunResult {
            declared: Vec::new(),
            strategy: run.strategy.clone(),
            stop_reason,
            steps: self.state.step,
            best_step: self.state.step,
            seconds: run.seconds(),
            metrics,
            files: self
                .base
                .trained_files(&policy, self.config.lora.as_ref())
                .await?,
        })
    }
}

#[async_trait(?Send)]
impl Learner for PairLearner<'_> {
    fn progress(&self) -> (usize, usize) {
        (self.state.step, self.config.steps)
    }

    fn checkpoint_interval(&self) -> usize {
        self.config.report.checkpoint_interval
    }

    async fn advance(&mut self, run: &mut RunContext) -> Result<Advance, LabError> {
        let step = self.state.step + 1;
        let (count, batch) = (self.data.training.len(), self.config.batch_size);
        let chosen = pairs_of_step(count, batch, run.seed, step);
        let pairs: Vec<&EncodedPair> = chosen
            .iter()
            .filter_map(|&index| self.data.training.get(index))
            .collect();
        let packed = self.pack(&pairs);
        let count = pairs.len();
        let device = run.device.clone();
        let policy = self.policy.take();
        let policy =
            policy.ok_or_else(|| LabError::internal("the policy was lost in an update"))?;
        let new = self.of_answers(&policy, &packed, &device);
        let old = self.of_answers(&self.reference, &packed, &device);
        let halves = |x: &Tensor<1>| {
            (
                x.clone().narrow(0, 0, count),
                x.clone().narrow(0, count, count),
            )
        };
        let loss = rl::dpo_loss(
            halves(&new),
            halves(&old),
            self.config.beta,
            self.config.label_smoothing,
        );
        let mut gradients = loss.backward();
        let gradients = parameters::gradients(&policy, &mut gradients);
        let rate = learning_rate(&self.config.optimizer.training(self.config.steps), step);
        let (policy, norm) = self.optimizer.update(policy, gradients, rate);
        self.policy = Some(policy);
        let read = parameters::read(vec![
            loss.without_autodiff(),
            norm,
            new.without_autodiff(),
            old,
        ])
        .await?;
        let of = |which: usize| -> Vec<f64> {
            let values = read.get(which).map(Vec::as_slice).unwrap_or_default();
            values.iter().map(|&value| f64::from(value)).collect()
        };
        let number = |which: usize| of(which).first().copied().unwrap_or(f64::NAN);
        let (loss, norm) = (number(0), number(1));
        if !loss.is_finite() || !norm.is_finite() {
            return Err(LabError::new(
                ErrorCode::NonFinite,
                format!("in step {step} the loss became {loss} and the norm of the gradient {norm}; the weights were left as they were"),
                "Lower the learning rate; the last checkpoint is good.",
            )
            .at("optimizer.learning_rate"));
        }
        let beta = self.config.beta;
        let rewards: Vec<f64> = of(2)
            .iter()
            .zip(of(3))
            .map(|(p, q)| beta * (p - q))
            .collect();
        let (chosen, rejected) = rewards.split_at(count.min(rewards.len()));
        let mean = |values: &[f64]| rl::mean_and_deviation(values).0;
        let right = chosen.iter().zip(rejected).filter(|(c, r)| c > r).count();
        let training_accuracy = right as f64 / count.max(1) as f64;
        self.state.step = step;
        let mut values = vec![
            ("loss", loss),
            ("gradient_norm", norm),
            ("learning_rate", rate),
            ("training_reward_accuracy", training_accuracy),
            ("rewards/chosen", mean(chosen)),
            ("rewards/rejected", mean(rejected)),
            ("rewards/margins", mean(chosen) - mean(rejected)),
        ];
        if self.data.held_out.is_empty() {
            self.state.accuracy = Some(training_accuracy);
            values.push(("reward_accuracy", training_accuracy));
        }
        let named = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value));
        self.state.last = named.collect();
        Ok(Advance {
            tokens: packed.batch.tokens,
            values,
        })
    }

    async fn report(&mut self, run: &mut RunContext) -> Result<(), LabError> {
        let (step, steps) = self.progress();
        let report = &self.config.report;
        let due =
            |interval: usize| (interval > 0 && step.is_multiple_of(interval)) || step == steps;
        if due(report.evaluation_interval) {
            if !self.data.held_out.is_empty() {
                let accuracy = self.accuracy(&run.device).await?;
                self.state.accuracy = Some(accuracy);
                run.record_metrics(step, &[("reward_accuracy", accuracy)]);
            }
            if step < steps {
                let policy = self.policy_of()?.valid();
                let found = self.judge.judge(&policy, &self.base, None, run).await?;
                record(run, step, &found.unwrap_or_default());
            }
        }
        if due(report.sample_interval) && report.samples > 0 {
            let policy = self.policy_of()?.valid();
            let prompts: Vec<_> = self.data.prompts.iter().take(report.samples).collect();
            let tokens: Vec<&[u32]> = prompts.iter().map(|p| p.tokens.as_slice()).collect();
            let number = step as u64;
            let responses = self.sampler.answer(&policy, &tokens, number).await?;
            for (prompt, response) in prompts.iter().zip(&responses) {
                let text = self.base.tokenizer.decode(&response.tokens);
                run.sample(step, prompt.text.clone(), text);
            }
        }
        Ok(())
    }

    async fn save(&self, _run: &RunContext) -> Result<Vec<u8>, LabError> {
        let (moments, updates) = self.optimizer.to_host().await?;
        let policy = parameters::trainable_to_host(self.policy_of()?).await?;
        let groups = HashMap::from([
            ("optimizer".to_owned(), moments),
            ("policy".to_owned(), policy),
        ]);
        let state = State {
            updates,
            ..self.state.clone()
        };
        write_state(groups, &state)
    }

    fn policy(&self) -> &Decoder {
        self.policy.as_ref().unwrap_or(&self.base.model)
    }

    fn base(&self) -> &Base {
        &self.base
    }
}
