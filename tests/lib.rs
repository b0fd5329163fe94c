//! Shared by the tests that cross crates: a host that collects events and gives prepared commands.

mod local;
pub mod python;
pub mod tiny_encoder;

pub use local::LocalExecutor;

use async_trait::async_trait;
use lab_protocol::{
    BackendChoice, Command, Event, ExperimentConfig, LabError, MetricRecord, ModelFile, RunResult,
    metric_info,
};
use lab_strategies::{Host, Platform, Registry, device, prepare};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// Metrics that the tests of extensions bring.
const FROM_OUTSIDE: [&str; 4] = ["sharpness_score", "held_out/words", "broken", "pairs_seen"];

/// Keeps every event. Gives a command each time the strategy asks before or at the step it is for.
#[derive(Default)]
pub struct TestHost {
    pub events: RefCell<Vec<Event>>,
    /// Commands and the number of steps after which each is given.
    pub commands: RefCell<VecDeque<(usize, Command)>>,
    /// Bytes that the platform is said to have.
    pub memory: Cell<Option<u64>>,
    clock: Cell<f64>,
}

impl TestHost {
    pub fn metrics(&self) -> Vec<MetricRecord> {
        let events = self.events.borrow();
        events
            .iter()
            .flat_map(|event| match event {
                Event::Metrics { records, .. } => records.clone(),
                _ => Vec::new(),
            })
            .collect()
    }

    /// Losses of the training steps, in order.
    pub fn losses(&self) -> Vec<f64> {
        self.metrics()
            .iter()
            .filter_map(|record| record.values.get("loss").copied())
            .collect()
    }

    /// Steps made so far.
    pub fn steps_done(&self) -> usize {
        let events = self.events.borrow();
        let progress = |event: &&Event| matches!(event, Event::Progress { .. });
        events.iter().filter(progress).count()
    }

    /// The last checkpoint that was reported.
    pub fn checkpoint(&self) -> Option<(usize, Vec<u8>)> {
        self.events
            .borrow()
            .iter()
            .rev()
            .find_map(|event| match event {
                Event::Checkpoint { step, state, .. } => Some((*step, state.clone())),
                _ => None,
            })
    }
}

#[async_trait(?Send)]
impl Host for TestHost {
    fn now(&self) -> f64 {
        self.clock.set(self.clock.get() + 1.0);
        self.clock.get()
    }

    /// Metrics that are not declared fail every test that runs a strategy.
    fn emit(&self, event: Event) {
        if let Event::Metrics { records, .. } = &event {
            for name in records.iter().flat_map(|record| record.values.keys()) {
                let known = metric_info(name, &[]).is_some() || FROM_OUTSIDE.contains(&&name[..]);
                assert!(
                    known,
                    "declare {name} in crates/lab-protocol/src/metrics.rs"
                );
            }
        }
        self.events.borrow_mut().push(event);
    }

    fn memory(&self) -> Option<u64> {
        self.memory.get()
    }

    async fn next_command(&self, wait: bool) -> Option<Command> {
        let done = self.steps_done();
        let mut commands = self.commands.borrow_mut();
        let due = commands
            .front()
            .is_some_and(|(after, _)| wait || *after <= done);
        if due {
            commands.pop_front().map(|(_, command)| command)
        } else {
            None
        }
    }
}

/// The values of a metric, in order.
pub fn series(records: &[MetricRecord], name: &str) -> Vec<f64> {
    let values = records.iter().filter_map(|record| record.values.get(name));
    values.copied().collect()
}

/// An experiment with one pretraining run, `config` as its settings.
pub fn experiment(config: serde_json::Value) -> ExperimentConfig {
    lab_protocol::from_value(serde_json::json!({
        "name": "test", "seed": 7, "data": {"source": "built_in", "name": "first-names"},
        "strategies": [{"name": "pretrain", "strategy": "pretraining", "config": config}]
    }))
    .unwrap_or_else(|error| panic!("{error}"))
}

/// Runs the experiment's first strategy on the CPU.
pub fn run(
    experiment: &ExperimentConfig,
    text: &str,
    host: Rc<TestHost>,
    checkpoint: Option<Vec<u8>>,
) -> Result<RunResult, LabError> {
    run_from(experiment, text, Vec::new(), host, checkpoint)
}

/// [`run`] from the files of another run.
pub fn run_from(
    experiment: &ExperimentConfig,
    text: &str,
    base: Vec<ModelFile>,
    host: Rc<TestHost>,
    checkpoint: Option<Vec<u8>>,
) -> Result<RunResult, LabError> {
    let strategy = &experiment.strategies[0].name;
    let prepared = prepare(
        &Registry::default(),
        experiment,
        strategy,
        text.to_owned(),
        base,
    )?;
    pollster::block_on(async {
        let device = device::open(BackendChoice::Cpu).await?;
        prepared
            .execute("run".into(), Platform::offline(device, host), checkpoint)
            .await
    })
}
