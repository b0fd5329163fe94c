//! The task of the preference tests, whose best policy is known, and runs on it.

use lab_bench::{KnownOptimum, Worth};
use lab_protocol::{BackendChoice, Event, LabError, ModelFile, RunResult};
use lab_strategies::{Platform, Registry, RewardFunction, device, prepare};
use lab_tests::TestHost;
use serde_json::{Value, json};
use std::rc::Rc;

pub const TASK: KnownOptimum = KnownOptimum {
    vocabulary: 4,
    length: 4,
    kl_coefficient: 0.5,
};

pub struct Outcome {
    pub result: RunResult,
    pub host: Rc<TestHost>,
}

/// Runs a strategy on the task from its base.
pub fn run(strategy: &str, config: Value, text: String) -> Result<Outcome, LabError> {
    run_with(strategy, config, text, Rc::default(), None, None)
}

pub fn run_with(
    strategy: &str,
    config: Value,
    text: String,
    host: Rc<TestHost>,
    checkpoint: Option<Vec<u8>>,
    reward: Option<Rc<dyn RewardFunction>>,
) -> Result<Outcome, LabError> {
    pollster::block_on(async {
        let device = device::open(BackendChoice::Cpu).await?;
        let base = TASK.base(1, &device).await?;
        let mut experiment = TASK.experiment(strategy, config, 1)?;
        experiment.data.validation_fraction = 0.1;
        let mut prepared = prepare(&Registry::default(), &experiment, "improve", text, base)?;
        if let Some(reward) = reward {
            prepared = prepared.with_reward(reward);
        }
        let result = prepared
            .execute(
                "run".into(),
                Platform::offline(device, host.clone()),
                checkpoint,
            )
            .await?;
        Ok(Outcome { result, host })
    })
}

pub fn worth(files: &[ModelFile]) -> Worth {
    pollster::block_on(async {
        let device = device::open(BackendChoice::Cpu).await.unwrap();
        TASK.worth(files, &device).await.unwrap()
    })
}

pub fn with(mut config: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        match (config.get_mut(key), value) {
            // A value of another `kind` is replaced as a whole.
            (Some(inner @ Value::Object(_)), Value::Object(given))
                if !given.contains_key("kind") =>
            {
                *inner = with(inner.clone(), value.clone());
            }
            _ => config[key] = value.clone(),
        }
    }
    config
}

pub fn common() -> Value {
    json!({
        "rollout": {"response_tokens": 4},
        "report": {"sample_interval": 0, "checkpoint_interval": 0}
    })
}

pub fn ppo(changes: Value) -> Value {
    let config = with(
        common(),
        json!({
            "reward": {"kind": "pattern", "pattern": "b"},
            "ppo": {
                "steps": 25, "batch_size": 128, "minibatches": 4, "epochs": 4, "lambda": 1.0,
                "kl_coefficient": 0.5, "maximum_kl": 0.0,
                "optimizer": {"learning_rate": 1e-2, "minimum_learning_rate": 1e-4}
            }
        }),
    );
    with(config, changes)
}

/// The share of the way from the reference's objective, 0, to the best one, 1.
pub fn progress(worth: Worth) -> f64 {
    let start = TASK.length as f64 / TASK.vocabulary as f64;
    (worth.objective - start) / (TASK.optimum() - start)
}

pub fn dpo(changes: Value) -> Value {
    let config = json!({
        "steps": 150, "batch_size": 32, "beta": 0.5,
        "optimizer": {"learning_rate": 1e-2, "minimum_learning_rate": 1e-4}
    });
    with(with(common(), config), changes)
}

/// A reward model on the task's pairs, then PPO by it.
pub fn with_reward_model(changes: Value) -> Value {
    let config = json!({
        "reward": {"kind": "model"},
        "reward_model": {
            "steps": 30, "batch_size": 16, "normalisation_samples": 32, "evaluation_interval": 10,
            "optimizer": {"learning_rate": 3e-3}
        },
        "ppo": {"steps": 6, "batch_size": 32, "kl_target": 1.0, "kl_horizon": 200.0}
    });
    ppo(with(config, changes))
}

/// The warnings of the run.
pub fn warnings(host: &TestHost) -> Vec<String> {
    let events = host.events.borrow();
    let logs = events.iter().filter_map(|event| match event {
        Event::Log { message, .. } => Some(message.clone()),
        _ => None,
    });
    logs.collect()
}
