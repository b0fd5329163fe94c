//! Runs made right here, in the task that asks for them.

use async_trait::async_trait;
use lab_orchestrator::{Executor, RunStore};
use lab_protocol::{
    Command, ErrorCode, Event, ExperimentConfig, LabError, MetricRecord, ModelFile, RunResult,
};
use lab_strategies::{Host, Platform, Registry, check, prepare};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Makes runs on one platform and keeps their records in memory, by the strategy's name, which is also the run's id.
/// Events go to the platform's host.
pub struct LocalExecutor {
    registry: Registry,
    text: String,
    platform: Platform,
    records: RefCell<BTreeMap<String, Vec<MetricRecord>>>,
}

impl LocalExecutor {
    /// `registry` holds the names that experiments can use, `text` is their training text (empty for the village).
    pub fn new(registry: Registry, text: String, platform: Platform) -> Self {
        Self {
            registry,
            text,
            platform,
            records: RefCell::default(),
        }
    }
}

#[async_trait(?Send)]
impl Executor for LocalExecutor {
    async fn execute(
        &self,
        experiment: &ExperimentConfig,
        strategy: &str,
        base: Vec<ModelFile>,
        checkpoint: Option<Vec<u8>>,
    ) -> Result<RunResult, LabError> {
        let prepared = prepare(
            &self.registry,
            experiment,
            strategy,
            self.text.clone(),
            base,
        )?;
        let recorder = Rc::new(Recorder {
            host: self.platform.host.clone(),
            records: RefCell::default(),
        });
        let platform = Platform {
            host: recorder.clone(),
            ..self.platform.clone()
        };
        let run = strategy.to_owned();
        let outcome = prepared.execute(run.clone(), platform, checkpoint).await;
        let records = recorder.records.take();
        self.records.borrow_mut().insert(run, records);
        outcome
    }

    fn check(&self, experiment: &ExperimentConfig) -> Result<(), LabError> {
        check(&self.registry, experiment, &self.text)
    }
}

impl RunStore for LocalExecutor {
    fn metrics(
        &self,
        _experiment: &ExperimentConfig,
        strategy: &str,
    ) -> Result<Vec<MetricRecord>, LabError> {
        let records = self.records.borrow().get(strategy).cloned();
        records.ok_or_else(|| {
            LabError::new(
                ErrorCode::InvalidCommand,
                format!("\"{strategy}\" was not run"),
                "Run the experiment first.",
            )
            .at("strategy")
        })
    }
}

/// Keeps the records that pass through.
struct Recorder {
    host: Rc<dyn Host>,
    records: RefCell<Vec<MetricRecord>>,
}

#[async_trait(?Send)]
impl Host for Recorder {
    fn now(&self) -> f64 {
        self.host.now()
    }

    fn emit(&self, event: Event) {
        if let Event::Metrics { records, .. } = &event {
            self.records.borrow_mut().extend(records.iter().cloned());
        }
        self.host.emit(event);
    }

    async fn next_command(&self, wait: bool) -> Option<Command> {
        self.host.next_command(wait).await
    }
}
