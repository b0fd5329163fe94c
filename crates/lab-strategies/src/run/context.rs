//! The context of a run: device, seed, data, and the host that it reports to.

use super::clock::Clock;
use super::commands::{Commands, StopSignal};
use super::host::Host;
use super::network::{Network, Offline};
use super::reward::RewardFunction;
use super::sample::Sample;
use burn::tensor::Device;
use lab_model::device::largest_tensor;
use lab_model::memory::MemoryNeeded;
use lab_protocol::{
    Event, LabError, LogLevel, MetricRecord, ModelFile, Progress, RunInfo, VectorMap,
};
use lab_village::Village;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The data of an experiment.
#[derive(Clone, Default)]
pub struct TrainingData {
    /// The user's or a built-in text; empty for the village.
    pub text: String,
    /// Identifies the data: SHA-256 in hexadecimal.
    pub hash: String,
    /// Share of the data that is held out: of a text its end, of rows the ones that the seed chooses.
    pub validation_fraction: f64,
    /// The world that the data come from, which also holds the evaluation's questions.
    pub village: Option<Rc<Village>>,
}

/// The platform of a run.
#[derive(Clone)]
pub struct Platform {
    pub device: Device,
    pub host: Rc<dyn Host>,
    pub network: Rc<dyn Network>,
}

impl Platform {
    /// A platform without a network.
    pub fn offline(device: Device, host: Rc<dyn Host>) -> Self {
        Self {
            device,
            host,
            network: Rc::new(Offline),
        }
    }
}

/// Everything a strategy needs, and nothing of the platform.
pub struct RunContext {
    pub run: String,
    /// The strategy's name in the experiment; metrics carry it.
    pub strategy: String,
    pub seed: u64,
    pub device: Device,
    pub data: TrainingData,
    /// Files of the run whose model this one starts from, e.g. `model/config.json`; empty if there is none.
    pub base: Rc<[ModelFile]>,
    /// A reward from outside, for strategies that use a function.
    pub reward: Option<Rc<dyn RewardFunction>>,
    /// For strategies that ask an endpoint.
    pub network: Rc<dyn Network>,
    /// Tells long work whether the run was told to stop.
    pub stop: StopSignal,
    host: Rc<dyn Host>,
    clock: RefCell<Clock>,
}

impl RunContext {
    /// A run with the id `run` of the strategy with the name `strategy`.
    pub fn new(
        run: String,
        strategy: String,
        seed: u64,
        data: TrainingData,
        platform: Platform,
    ) -> Self {
        let Platform {
            device,
            host,
            network,
        } = platform;
        Self {
            run,
            strategy,
            seed,
            device,
            data,
            base: Rc::new([]),
            reward: None,
            network,
            stop: StopSignal(Commands::new(host.clone())),
            host,
            clock: RefCell::default(),
        }
    }

    /// See [`Host::peak_bytes`].
    pub fn peak_bytes(&self) -> Option<u64> {
        self.host.peak_bytes()
    }

    /// Refuses a run that needs more memory than the platform has. A run on the CPU shares it with the files that it
    /// starts from. The memory of a GPU is not known, only the maximum size of a tensor.
    pub fn must_fit(&self, needed: MemoryNeeded) -> Result<(), LabError> {
        let files = self.base.iter().map(|file| file.bytes.len()).sum();
        let on_cpu = largest_tensor(&self.device).is_none();
        let available = self.host.memory().filter(|_| on_cpu);
        let needed = needed.and(MemoryNeeded::files(files));
        needed.must_fit(available, &self.device)
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn now(&self) -> f64 {
        self.host.now()
    }

    /// Seconds of work so far, without pauses.
    pub fn seconds(&self) -> f64 {
        self.clock.borrow().seconds(self.host.now())
    }

    /// Reports values of a step by name; does nothing if there are none.
    pub fn record<N: Into<String>>(&self, step: usize, values: impl IntoIterator<Item = (N, f64)>) {
        let values = values.into_iter().map(|(name, value)| (name.into(), value));
        let values: BTreeMap<String, f64> = values.collect();
        if values.is_empty() {
            return;
        }
        let record = MetricRecord {
            run: self.run.clone(),
            strategy: self.strategy.clone(),
            step,
            timestamp: self.host.now() as u64,
            values,
        };
        self.emit(|run| Event::Metrics {
            run,
            records: vec![record],
        });
    }

    /// Shows a text that the model wrote after a step.
    pub fn sample(&self, step: usize, sample: Sample) {
        self.emit(|run| Event::Sample {
            run,
            step,
            prompt: sample.prompt,
            text: sample.text,
            reward: sample.reward,
            grounds: sample.grounds,
        });
    }

    /// Shows an answer that is still being written.
    pub fn writing(&self, prompt: &str, text: &str) {
        self.emit(|run| Event::Writing {
            run,
            prompt: prompt.to_owned(),
            text: text.to_owned(),
        });
    }

    /// Shows the vectors of an index in two dimensions.
    pub fn map(&self, map: VectorMap) {
        self.emit(|run| Event::Map { run, map });
    }

    /// Warns the user about something that does not end the run.
    pub fn warn(&self, message: impl Into<String>) {
        self.host.emit(Event::Log {
            level: LogLevel::Warning,
            message: message.into(),
        });
    }

    pub(super) fn started(&self, info: RunInfo) {
        self.emit(|run| Event::Started { run, info });
    }

    pub(super) fn paused(&self, step: usize) {
        self.emit(|run| Event::Paused { run, step });
    }

    pub(super) fn resumed(&self, step: usize) {
        self.emit(|run| Event::Resumed { run, step });
    }

    pub(super) fn checkpoint(&self, step: usize, state: Vec<u8>) {
        self.emit(|run| Event::Checkpoint { run, step, state });
    }

    pub(super) fn step_begins(&self) {
        self.clock.borrow_mut().step_begins(self.host.now());
    }

    /// Notes that a step ended, and reports progress. Returns tokens a second over the last steps.
    pub(super) fn step_ends(&self, step: usize, steps: usize, tokens: usize) -> f64 {
        let mut clock = self.clock.borrow_mut();
        let tokens_per_second = clock.step_ends(self.host.now(), tokens);
        let progress = Progress {
            step,
            steps,
            tokens_per_second,
            seconds_left: steps.saturating_sub(step) as f64 * clock.seconds_per_step(),
        };
        self.emit(|run| Event::Progress { run, progress });
        tokens_per_second
    }

    pub(super) fn commands(&self) -> &Commands {
        &self.stop.0
    }

    /// Counts the time from `began` until now as a pause.
    pub(super) fn waited_since(&self, began: f64) {
        let waited = self.host.now() - began;
        self.clock.borrow_mut().leave_out(waited);
    }

    fn emit(&self, event: impl FnOnce(String) -> Event) {
        self.host.emit(event(self.run.clone()));
    }
}
