use lab_protocol::{ExperimentConfig, LabError, MetricRecord, RunResult};

/// Where runs are kept: folders in the terminal, memory in tests.
pub trait RunStore {
    /// What is there of a strategy's run.
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

/// What is kept of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredRun {
    /// How it ended, with its files; none if it has not.
    pub result: Option<RunResult>,
    /// The state from which it can be continued.
    pub checkpoint: Option<Vec<u8>>,
}
