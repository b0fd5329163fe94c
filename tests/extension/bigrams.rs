//! A strategy from outside the crates: bigrams, counted part by part. This file is all of it; its counts are in
//! `counts.rs`.

use crate::counts::{BigramConfig, Counts};
use async_trait::async_trait;
use lab_protocol::{GenerateRequest, LabError, RunInfo, StopReason};
use lab_strategies::{Learned, Learner, RunContext, Sample, Snapshot, Step};
use lab_strategies::{Strategy, TrainingData};

pub struct Bigrams(pub BigramConfig);

#[async_trait(?Send)]
impl Strategy for Bigrams {
    fn kind(&self) -> &str {
        "bigrams"
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        self.0.check(&data.text)
    }

    async fn begin(&self, run: &RunContext) -> Result<Box<dyn Learner>, LabError> {
        Ok(Box::new(Counts::new(&self.0, &run.data)))
    }
}

#[async_trait(?Send)]
impl Learner for Counts {
    fn info(&self) -> RunInfo {
        self.describe()
    }

    async fn step(&mut self, step: usize, _: &RunContext) -> Result<Step, LabError> {
        Ok(Step::new(self.count(step), self.metrics()))
    }

    async fn save(&self) -> Result<Snapshot, LabError> {
        Snapshot::new(&self.table)
    }

    async fn restore(&mut self, snapshot: Snapshot, _: &RunContext) -> Result<(), LabError> {
        snapshot.state().map(|table| self.table = table)
    }

    async fn generate(
        &self,
        asked: &GenerateRequest,
        _: &RunContext,
    ) -> Result<Option<Sample>, LabError> {
        Ok(Some(Sample::new(&asked.prompt, self.write(asked))))
    }

    async fn finish(&mut self, _: StopReason, _: &RunContext) -> Result<Learned, LabError> {
        Ok(Learned::new(self.metrics(), self.files()))
    }
}
