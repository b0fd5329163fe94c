use lab_protocol::{ExperimentConfig, LabError, MetricRecord, RunResult};

/// The place where runs are stored: folders in the terminal, memory in tests.
pub trait RunStore {
    /// The stored part of a strategy's run.
    fn find(&self, _experiment: &ExperimentConfig, _strategy: &str) -> Result<StoredRun, LabError> {
        Ok(StoredRun::default())
    }

    /// Everything that the run of a strategy recorded, step by step.
    fn metrics(
        &self,
        experiment: &ExperimentConfig,
        strategy: &str,
    ) -> Result<Vec<MetricRecord>, LabError>;
}

/// The stored part of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredRun {
    /// Its result, with its files; `None` if it has not ended.
    pub result: Option<RunResult>,
    /// The state from which it can be continued.
    pub checkpoint: Option<Vec<u8>>,
}
