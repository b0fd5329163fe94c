//! The reward: a rule that needs no training, or a model that first learns it from preferences.

use super::data::{EncodedPair, EncodedPrompt, PreferenceData};
use super::experience::upload;
use super::order::Order;
use super::pairs::{at_once, pair_loss};
use super::reward::{ModelScorer, Scorer};
use super::rollout::{Response, Sampler};
use crate::learning::trainee::{Trainee, Updated};
use crate::run::base::Base;
use crate::run::context::RunContext;
use crate::run::learner::Step;
use crate::run::reward::{Answer, RewardFunction};
use crate::run::snapshot::Snapshot;
use lab_model::burn::tensor::Device;
use lab_model::dropout::Dropout;
use lab_model::memory::{MemoryNeeded, PassSize};
use lab_model::optimizer::learning_rate;
use lab_model::parameters;
use lab_model::rl::{self, RewardModel, ScalarHead, Sequence, SequenceBatch};
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{ErrorCode, LabError, RewardConfig, RewardModelConfig, text};
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// The group of the model in a snapshot.
const MODEL: &str = "reward";

/// The part of a checkpoint that describes the reward, beside its tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RewardState {
    /// Share of the pairs in which the chosen answer has the higher reward: of held-out pairs, and of the last step.
    pub accuracy: Option<f64>,
    pub training_accuracy: Option<f64>,
    /// Mean and deviation over the reference policy's answers, once the model is trained.
    normalisation: Option<(f64, f64)>,
}

/// The reward of a run.
pub(crate) struct RewardStage {
    config: RewardModelConfig,
    training: Option<Trainee<RewardModel>>,
    /// The model, once it is trained.
    trained: Option<RewardModel>,
    scorer: Option<Scorer>,
    pub state: RewardState,
    context: usize,
    order: Order,
    /// The memory of the model while it is trained, and the memory that its steps need temporarily.
    pub resident: MemoryNeeded,
    pub step: MemoryNeeded,
}

impl RewardStage {
    /// Starts with a rule, or with an untrained model on the base's trunk.
    pub fn new(
        reward: &RewardConfig,
        config: &RewardModelConfig,
        function: Option<Rc<dyn RewardFunction>>,
        base: &Base,
        data: &PreferenceData,
        run: &RunContext,
    ) -> Result<Self, LabError> {
        let scorer = Scorer::of_rule(reward, function)?;
        let (mut resident, mut step) = (MemoryNeeded::default(), MemoryNeeded::default());
        let training = match scorer {
            Some(_) => None,
            None => {
                let model = RewardModel {
                    trunk: base.to_train(config.lora.as_ref(), run.seed, &run.device)?,
                    head: ScalarHead::random(base.shape.width, run.seed, &run.device),
                };
                let size = PassSize {
                    rows: 2 * at_once(config.micro_batch_size, config.batch_size),
                    columns: data.longest_pair(),
                    predicted: 0,
                };
                resident = MemoryNeeded::trained(&model);
                step = base.step_memory(&model, size);
                let settings = config.optimizer.training(config.steps);
                let field = "reward_model.optimizer.learning_rate";
                Some(Trainee::new(model, &settings, field, &run.device))
            }
        };
        Ok(Self {
            config: config.clone(),
            training,
            trained: None,
            scorer,
            state: RewardState::default(),
            context: base.shape.context,
            order: Order::new(data.training.len(), config.batch_size, run.seed),
            resident,
            step,
        })
    }

    /// Number of steps that the model needs.
    pub fn steps(&self) -> usize {
        match self.scorer {
            Some(Scorer::Model(_)) | None => self.config.steps,
            Some(_) => 0,
        }
    }

    /// The scorer; an error while the model is not trained.
    pub fn scorer(&self) -> Result<&Scorer, LabError> {
        let scorer = self.scorer.as_ref();
        scorer.ok_or_else(|| LabError::internal("the reward model is not trained yet"))
    }

    /// One step of the reward model (`step` from 1).
    pub async fn advance(
        &mut self,
        step: usize,
        data: &PreferenceData,
        run: &RunContext,
    ) -> Result<Step, LabError> {
        let Some(training) = &mut self.training else {
            return Err(LabError::internal("there is no reward model to train"));
        };
        let settings = self.config.optimizer.training(self.config.steps);
        let rate = learning_rate(&settings, step);
        let chosen = self.order.of_step(step);
        let pairs: Vec<&EncodedPair> = chosen.iter().map(|&index| &data.training[index]).collect();
        let margin = pairs.iter().any(|pair| pair.margin.is_some()).then(|| {
            let margins: Vec<f64> = pairs.iter().map(|p| p.margin.unwrap_or(0.0)).collect();
            upload(&margins, &run.device)
        });
        let (context, device, centre) = (self.context, &run.device, self.config.centre);
        let found = pair_loss(
            training.model()?,
            &pairs,
            self.config.micro_batch_size,
            |model, sequences, pass| {
                let batch = SequenceBatch::whole(sequences, context);
                // The adapter may have dropout; the model itself has none.
                let mut dropout = Dropout::new(0.0, run.seed, step, pass);
                model.forward(&batch, device, &mut dropout)
            },
            |chosen, rejected, range| {
                let margin = margin.clone().map(|margin| margin.slice(range));
                rl::reward_loss(chosen, rejected, margin, centre)
            },
        );
        let measured = vec![found.chosen, found.rejected];
        let gradients = found.gradients.into_tensors();
        let Updated {
            loss,
            gradient_norm,
            measured,
        } = training
            .apply(gradients, found.loss, rate, measured)
            .await?;
        let rewards = |which: usize| measured.get(which).map(Vec::as_slice).unwrap_or_default();
        let accuracy = share_right(rewards(0), rewards(1));
        self.state.training_accuracy = Some(accuracy);
        let mut values = vec![
            ("reward_loss", loss),
            ("training_reward_accuracy", accuracy),
            ("gradient_norm", gradient_norm),
            ("learning_rate", rate),
        ];
        let interval = self.config.evaluation_interval;
        let due = (interval > 0 && step.is_multiple_of(interval)) || step == self.config.steps;
        if data.held_out.is_empty() {
            values.push(("reward_accuracy", accuracy));
        } else if due {
            let accuracy = self.judge(&data.held_out, &run.device).await?;
            self.state.accuracy = Some(accuracy);
            values.push(("reward_accuracy", accuracy));
        }
        let tokens = pairs.iter().map(|pair| pair.tokens()).sum();
        Ok(Step::new(tokens, values))
    }

    /// Share of the pairs that the model ranks as people did.
    async fn judge(&self, pairs: &[EncodedPair], device: &Device) -> Result<f64, LabError> {
        let Some(training) = &self.training else {
            return Err(LabError::internal("there is no reward model to judge"));
        };
        let size = self.config.micro_batch_size;
        let scorer = ModelScorer::new(training.model()?, self.context, size);
        let answers = |of: fn(&EncodedPair) -> &Sequence| -> Vec<Sequence> {
            pairs.iter().map(of).cloned().collect()
        };
        let chosen = scorer
            .rewards(&answers(|pair| &pair.chosen), device)
            .await?;
        let rejected = scorer
            .rewards(&answers(|pair| &pair.rejected), device)
            .await?;
        Ok(share_right(&chosen, &rejected))
    }

    /// Ends the training of the model, and measures its rewards of answers of `policy`, to normalise rewards by. Does
    /// nothing for a rule.
    pub async fn finish(
        &mut self,
        policy: &lab_model::decoder::Decoder,
        prompts: &[EncodedPrompt],
        tokenizer: &Tokenizer,
        sampler: &Sampler,
        run: &RunContext,
    ) -> Result<(), LabError> {
        let Some(training) = self.training.take() else {
            return Ok(());
        };
        let model = training.into_model()?;
        let size = self.config.micro_batch_size;
        let mut scorer = ModelScorer::new(&model, self.context, size);
        if self.config.normalise {
            let count = self.config.normalisation_samples;
            let asked: Vec<&EncodedPrompt> = prompts.iter().cycle().take(count).collect();
            let tokens: Vec<&[u32]> = asked.iter().map(|p| p.tokens.as_slice()).collect();
            let responses = sampler.answer(policy, &tokens, 0).await?;
            let (sequences, _) = answers_of(&asked, &responses, tokenizer, sampler.end);
            let rewards = scorer.rewards(&sequences, &run.device).await?;
            let (mean, deviation) = rl::mean_and_deviation(&rewards);
            if !mean.is_finite() || !deviation.is_finite() {
                return Err(LabError::new(
                    ErrorCode::NonFinite,
                    text!("the reward model's rewards have the mean {mean}", mean),
                    "Lower the reward model's learning rate.",
                )
                .at("reward"));
            }
            scorer.mean = mean;
            if deviation > 1e-6 {
                scorer.deviation = deviation;
            } else {
                run.warn("the reward model gives all answers of the reference the same reward; it is not divided by its deviation");
            }
        }
        self.state.normalisation = Some((scorer.mean, scorer.deviation));
        self.trained = Some(model);
        self.scorer = Some(Scorer::Model(Box::new(scorer)));
        Ok(())
    }

    /// Adds the model to a snapshot, with its moments while it is trained.
    pub async fn save(&self, snapshot: &mut Snapshot) -> Result<(), LabError> {
        if let Some(training) = &self.training {
            training.save(MODEL, snapshot).await?;
        } else if let Some(model) = &self.trained {
            let weights = parameters::trainable_to_host(model).await?;
            snapshot.tensors.insert(MODEL.to_owned(), weights);
        }
        Ok(())
    }

    /// Continues from the state that [`RewardStage::save`] added.
    pub fn restore(
        &mut self,
        snapshot: &mut Snapshot,
        state: RewardState,
        device: &Device,
    ) -> Result<(), LabError> {
        self.state = state;
        match (self.state.normalisation, self.training.take()) {
            (Some((mean, deviation)), Some(training)) => {
                let weights = snapshot.take_tensors(MODEL);
                let model =
                    parameters::trainable_from_host(training.into_model()?, &weights, device)?;
                let size = self.config.micro_batch_size;
                self.scorer = Some(Scorer::Model(Box::new(ModelScorer {
                    mean,
                    deviation,
                    ..ModelScorer::new(&model, self.context, size)
                })));
                self.trained = Some(model);
            }
            (None, Some(mut training)) => {
                training.restore(MODEL, snapshot)?;
                self.training = Some(training);
            }
            (_, None) => {}
        }
        Ok(())
    }
}

/// Sequences and texts of answers to prompts.
pub(crate) fn answers_of(
    prompts: &[&EncodedPrompt],
    responses: &[Response],
    tokenizer: &Tokenizer,
    end: Option<u32>,
) -> (Vec<Sequence>, Vec<Answer>) {
    let each = prompts.iter().zip(responses).map(|(prompt, response)| {
        let written = match response.tokens.split_last() {
            Some((last, rest)) if Some(*last) == end => rest,
            _ => &response.tokens,
        };
        let sequence = Sequence {
            prompt: prompt.tokens.clone(),
            response: response.tokens.clone(),
        };
        let answer = Answer {
            prompt: prompt.text.clone(),
            response: tokenizer.decode(written),
            tokens: response.tokens.len(),
        };
        (sequence, answer)
    });
    each.unzip()
}

/// Share of pairs in which the chosen value is strictly greater.
fn share_right<T: PartialOrd>(chosen: &[T], rejected: &[T]) -> f64 {
    let right = chosen.iter().zip(rejected).filter(|(c, r)| c > r).count();
    right as f64 / chosen.len().max(1) as f64
}
