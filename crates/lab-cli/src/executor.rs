//! Runs of an experiment on threads, each in its folder.

use crate::folder::{Claim, RunFolder};
use crate::host::{Interrupt, TerminalHost, TerminalNetwork};
use async_trait::async_trait;
use indicatif::MultiProgress;
use lab_orchestrator::Executor;
use lab_protocol::{BackendChoice, ExperimentConfig, LabError, MetricRecord, ModelFile, RunResult};
use lab_strategies::{Platform, Registry, RunRecord, check, device, prepare};
use std::future::poll_fn;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

/// Makes each run on a thread of its own, in a folder: `out` itself where the experiment has one
/// strategy, else the folder of the strategy's name in it.
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
    text: String,
    folder: RunFolder,
    resume: bool,
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
    ) -> Result<RunResult, LabError> {
        let job = Job {
            experiment: experiment.clone(),
            strategy: strategy.to_owned(),
            base,
            text: self.text.clone(),
            folder: RunFolder::of_strategy(&self.out, experiment, strategy),
            resume: self.resume,
            interrupt: self.interrupt.clone(),
            bars: self.bars.clone(),
        };
        on_a_thread(move || run(job)).await
    }

    fn check(&self, experiment: &ExperimentConfig) -> Result<(), LabError> {
        check(&Registry::default(), experiment, &self.text)?;
        RunFolder::check(&self.out, experiment, self.resume)
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
        ..
    } = job;
    let checkpoint = match folder.claim(job.resume, &experiment)? {
        Claim::Done(result) => return Ok(*result),
        Claim::Run { checkpoint } => checkpoint,
    };
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

/// What a thread leaves for whoever waits for it.
struct Shared<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LabError> + Send + 'static,
) -> Result<T, LabError> {
    let shared = Arc::new(Mutex::new(Shared {
        value: None,
        waker: None,
    }));
    let theirs = shared.clone();
    std::thread::spawn(move || {
        // A panic is a mistake of ours, but it must not leave the others waiting.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(LabError::internal("the run's thread panicked")));
        let mut shared = theirs.lock().unwrap_or_else(|poison| poison.into_inner());
        shared.value = Some(outcome);
        if let Some(waker) = shared.waker.take() {
            waker.wake();
        }
    });
    poll_fn(|context| {
        let mut shared = shared.lock().unwrap_or_else(|poison| poison.into_inner());
        match shared.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                shared.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
}
