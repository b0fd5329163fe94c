//! Runs of an experiment on threads, each in its folder.

use crate::folder::RunFolder;
use crate::host::{Interrupt, TerminalHost, TerminalNetwork};
use async_trait::async_trait;
use futures_channel::oneshot;
use indicatif::MultiProgress;
use lab_orchestrator::{Executor, RunStore, StoredRun};
use lab_protocol::{BackendChoice, ExperimentConfig, LabError, MetricRecord, ModelFile, RunResult};
use lab_strategies::{Platform, Registry, RunRecord, check, device, prepare};
use std::path::PathBuf;
use std::rc::Rc;

/// Makes each run on a thread of its own, in a folder: `out` itself if the experiment has one strategy, else the
/// folder of the strategy's name in it.
pub struct ThreadExecutor {
    pub out: PathBuf,
    pub text: String,
    pub resume: bool,
    pub interrupt: Interrupt,
    pub bars: MultiProgress,
}

/// All that a run needs, to be taken to its thread.
struct Job {
    experiment: ExperimentConfig,
    strategy: String,
    base: Vec<ModelFile>,
    checkpoint: Option<Vec<u8>>,
    text: String,
    folder: RunFolder,
    interrupt: Interrupt,
    bars: MultiProgress,
}

#[async_trait(?Send)]
impl Executor for ThreadExecutor {
    async fn execute(
        &self,
        experiment: &ExperimentConfig,
        strategy: &str,
        base: Vec<ModelFile>,
        checkpoint: Option<Vec<u8>>,
    ) -> Result<RunResult, LabError> {
        let job = Job {
            experiment: experiment.clone(),
            strategy: strategy.to_owned(),
            base,
            checkpoint,
            text: self.text.clone(),
            folder: RunFolder::of_strategy(&self.out, experiment, strategy),
            interrupt: self.interrupt.clone(),
            bars: self.bars.clone(),
        };
        on_a_thread(move || run(job)).await
    }

    fn check(&self, experiment: &ExperimentConfig) -> Result<(), LabError> {
        check(&Registry::default(), experiment, &self.text)?;
        RunFolder::check(&self.out, experiment, self.resume)
    }
}

impl RunStore for ThreadExecutor {
    fn find(&self, experiment: &ExperimentConfig, strategy: &str) -> Result<StoredRun, LabError> {
        if !self.resume {
            return Ok(StoredRun::default());
        }
        RunFolder::of_strategy(&self.out, experiment, strategy).find(experiment)
    }

    fn metrics(
        &self,
        experiment: &ExperimentConfig,
        strategy: &str,
    ) -> Result<Vec<MetricRecord>, LabError> {
        RunFolder::of_strategy(&self.out, experiment, strategy).metrics()
    }
}

fn run(job: Job) -> Result<RunResult, LabError> {
    let Job {
        experiment,
        strategy,
        base,
        folder,
        checkpoint,
        ..
    } = job;
    let registry = Registry::default();
    let prepared = prepare(&registry, &experiment, &strategy, job.text, base)?;
    pollster::block_on(async {
        let device = device::open(experiment.backend).await?;
        let backend = match experiment.backend {
            BackendChoice::Wgpu => BackendChoice::Wgpu,
            BackendChoice::Auto | BackendChoice::Cpu => BackendChoice::Cpu,
        };
        let id = folder.name();
        let hash = prepared.data_hash().to_owned();
        let several = experiment.strategies.len() > 1;
        let label = if several {
            format!("{strategy}: ")
        } else {
            String::new()
        };
        let host = Rc::new(TerminalHost::new(
            folder.clone(),
            label,
            job.bars,
            job.interrupt,
            Box::new(move |folder, id, config| {
                folder.write_record(&RunRecord::new(
                    id,
                    &experiment,
                    &strategy,
                    backend,
                    &hash,
                    config,
                ))
            }),
        ));
        let platform = Platform {
            device,
            host: host.clone(),
            network: Rc::new(TerminalNetwork),
        };
        let outcome = prepared.execute(id, platform, checkpoint).await;
        host.close()?;
        let result = outcome?;
        folder.write_result(&result)?;
        host.summary(&result);
        Ok(result)
    })
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LabError> + Send + 'static,
) -> Result<T, LabError> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        // The receiver may be gone.
        let _ = sender.send(work());
    });
    // A panic is a mistake of ours, but it must not leave the others waiting.
    let panicked = |_| LabError::internal("the run's thread panicked");
    receiver.await.map_err(panicked)?
}
