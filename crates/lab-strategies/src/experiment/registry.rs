//! The names that an experiment can use: the lab's own strategies, and strategies and metrics from outside.

use crate::asking::held_out::HeldOutAnswer;
use crate::preference::dpo::DpoStrategy;
use crate::preference::grpo::GrpoStrategy;
use crate::preference::rlhf::RlhfStrategy;
use crate::rag::rag_strategy::RagStrategy;
use crate::run::context::TrainingData;
use crate::run::reward::RewardFunction;
use crate::run::strategy::Strategy;
use crate::supervised::fine_tuning::FineTuningStrategy;
use crate::supervised::pretraining::PretrainingStrategy;
use async_trait::async_trait;
use lab_protocol::{LabError, MetricInfo, RunResult, StrategyConfig, text};
use std::collections::BTreeMap;
use std::rc::Rc;

type Create = Rc<dyn Fn(&StrategyConfig) -> Result<Box<dyn Strategy>, LabError>>;

/// Strategies by name, metrics from outside, and the reward function of experiments that ask for one.
/// The default holds the lab's own strategies.
#[derive(Clone)]
pub struct Registry {
    strategies: BTreeMap<String, Create>,
    metrics: Vec<Rc<dyn Metric>>,
    reward: Option<Rc<dyn RewardFunction>>,
}

/// A measure of finished runs. Its values appear beside the lab's own metrics: in the run's metrics, in charts,
/// comparisons and exports.
#[async_trait(?Send)]
pub trait Metric {
    /// Its name in results and records, e.g. `held_out/politeness_score`.
    fn name(&self) -> &str;

    /// Its description and which direction is better. A metric with only a name is not ranked.
    fn info(&self) -> MetricInfo {
        MetricInfo::named(self.name())
    }

    /// Its value for a run, or `None` if it has no meaning there. If it fails, or the value is not finite, the run
    /// warns and has no value.
    async fn measure(&self, run: &Finished) -> Result<Option<f64>, LabError>;
}

/// A finished run, as a metric sees it.
pub struct Finished<'a> {
    /// With the run's files.
    pub result: &'a RunResult,
    pub data: &'a TrainingData,
    /// The strategy's answers to the held-out questions; empty if there are none.
    pub answers: &'a [HeldOutAnswer],
}

impl Default for Registry {
    fn default() -> Self {
        let mut registry = Self {
            strategies: BTreeMap::new(),
            metrics: Vec::new(),
            reward: None,
        };
        registry.insert("pretraining", |c| {
            Ok(Box::new(PretrainingStrategy::new(c)?))
        });
        registry.insert("fine_tuning", |c| Ok(Box::new(FineTuningStrategy::new(c)?)));
        registry.insert("rlhf", |c| Ok(Box::new(RlhfStrategy::new(c)?)));
        registry.insert("grpo", |c| Ok(Box::new(GrpoStrategy::new(c)?)));
        registry.insert("dpo", |c| Ok(Box::new(DpoStrategy::new(c)?)));
        registry.insert("rag", |c| Ok(Box::new(RagStrategy::new(c)?)));
        registry
    }
}

impl Registry {
    /// Adds a strategy under a name that is still free; `create` reads its part of an experiment.
    pub fn add_strategy(
        &mut self,
        name: &str,
        create: impl Fn(&StrategyConfig) -> Result<Box<dyn Strategy>, LabError> + 'static,
    ) -> Result<(), LabError> {
        free(name, self.strategies.contains_key(name), "strategy")?;
        self.insert(name, create);
        Ok(())
    }

    /// Adds a metric; no other metric from outside may have its name.
    pub fn add_metric(&mut self, metric: Rc<dyn Metric>) -> Result<(), LabError> {
        let taken = self
            .metrics
            .iter()
            .any(|other| other.name() == metric.name());
        free(metric.name(), taken, "metric")?;
        self.metrics.push(metric);
        Ok(())
    }

    /// Supplies the reward for strategies that use a function.
    pub fn set_reward(&mut self, reward: Rc<dyn RewardFunction>) {
        self.reward = Some(reward);
    }

    /// The strategy that a configuration names, with its settings read; unknown keys are errors.
    pub fn create(&self, config: &StrategyConfig) -> Result<Box<dyn Strategy>, LabError> {
        match self.strategies.get(&config.strategy) {
            Some(create) => create(config),
            None => Err(LabError::config(
                "strategy",
                text!("there is no strategy \"{name}\"", name = config.strategy),
                text!(
                    "Use one of: {names}.",
                    names = self.strategies().collect::<Vec<_>>().join(", ")
                ),
            )),
        }
    }

    /// The names of all strategies, sorted.
    pub fn strategies(&self) -> impl Iterator<Item = &str> {
        self.strategies.keys().map(String::as_str)
    }

    pub fn metrics(&self) -> &[Rc<dyn Metric>] {
        &self.metrics
    }

    pub fn reward(&self) -> Option<Rc<dyn RewardFunction>> {
        self.reward.clone()
    }

    fn insert(
        &mut self,
        name: &str,
        create: impl Fn(&StrategyConfig) -> Result<Box<dyn Strategy>, LabError> + 'static,
    ) {
        self.strategies.insert(name.to_owned(), Rc::new(create));
    }
}

fn free(name: &str, taken: bool, what: &str) -> Result<(), LabError> {
    if !taken && !name.trim().is_empty() {
        return Ok(());
    }
    Err(LabError::config(
        what,
        text!(
            "a {kind} cannot be registered as \"{name}\"",
            kind = what,
            name
        ),
        "Give it a name that no other has.",
    ))
}
