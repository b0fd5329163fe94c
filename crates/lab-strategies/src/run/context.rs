//! What a strategy is given: device, seed, text, the host it reports to and hears from.

use crate::run::network::{HttpFailure, HttpRequest, HttpResponse, Receive};
use crate::run::reward::RewardFunction;
use async_trait::async_trait;
use burn::tensor::Device;
use lab_protocol::{
    Command, Event, GenerateRequest, GroundedAnswer, LabError, LogLevel, MetricRecord, ModelFile,
    Progress, RunInfo, Secret, VectorMap,
};
use lab_village::Village;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// The platform around a run: clock, commands in, events out. The worker and the terminal program
/// each have one; the core has no other way to the outside.
#[async_trait(?Send)]
pub trait Host {
    /// Milliseconds since 1970-01-01 UTC.
    fn now(&self) -> f64;

    /// Takes an event. Metrics may be coalesced on the way; nothing else may be lost.
    fn emit(&self, event: Event);

    /// The next command to this run. Without `wait`, `None` if there is none now; either way the host
    /// gets the chance to receive some.
    async fn next_command(&self, wait: bool) -> Option<Command>;

    /// The key for an endpoint: what the environment variable of that name holds, or what the user has
    /// typed. None where there is none; an error where the variable is named and not there.
    fn key(&self, _variable: &str) -> Result<Option<Secret>, LabError> {
        Ok(None)
    }

    /// Makes a request; pieces of the answer's body go to `receive` as they come, until it wants no more.
    async fn post(
        &self,
        _request: &HttpRequest<'_>,
        _receive: Receive<'_>,
    ) -> Result<HttpResponse, HttpFailure> {
        Err(HttpFailure::Unreachable("there is no network here".into()))
    }

    /// Waits so many milliseconds.
    async fn sleep(&self, _milliseconds: f64) {}
}

/// What the strategy must do before it goes on, beside training.
#[derive(Debug, PartialEq)]
pub enum Control {
    Continue,
    /// End now, keeping what there is.
    Stop,
    /// Report a checkpoint, then ask again.
    Checkpoint,
    /// Write a continuation with the model as it is, then ask again.
    Generate(GenerateRequest),
}

/// The data of an experiment.
#[derive(Clone, Default)]
pub struct TrainingData {
    /// The user's or a built-in text; empty for the village.
    pub text: String,
    /// Identifies the data: SHA-256 in hexadecimal.
    pub hash: String,
    /// Share of the text, at its end, that is held out.
    pub validation_fraction: f64,
    /// The world that the data come from, which also holds what is judged.
    pub village: Option<Rc<Village>>,
}

/// Everything a strategy needs, and nothing of the platform.
pub struct RunContext {
    pub run: String,
    /// The strategy's name in the experiment; metrics carry it.
    pub strategy: String,
    pub seed: u64,
    pub device: Device,
    pub data: TrainingData,
    /// Files of the run whose model this one starts from, e.g. `model/config.json`; empty for none.
    pub base: Vec<ModelFile>,
    /// State of an earlier run to continue from.
    pub checkpoint: Option<Vec<u8>>,
    /// A reward from outside, for strategies whose reward is a function.
    pub reward: Option<Rc<dyn RewardFunction>>,
    host: Rc<dyn Host>,
    commands: VecDeque<Command>,
    paused: bool,
    /// Whether one step may be made in spite of the pause.
    step_once: bool,
    clock: StepClock,
}

impl RunContext {
    pub fn new(
        run: String,
        strategy: String,
        seed: u64,
        device: Device,
        data: TrainingData,
        host: Rc<dyn Host>,
    ) -> Self {
        Self {
            run,
            strategy,
            seed,
            device,
            data,
            base: Vec::new(),
            checkpoint: None,
            reward: None,
            host,
            commands: VecDeque::new(),
            paused: false,
            step_once: false,
            clock: StepClock::default(),
        }
    }

    pub fn started(&self, info: RunInfo) {
        self.host.emit(Event::Started {
            run: self.run.clone(),
            info,
        });
    }

    /// Reports the values of a step.
    pub fn record_metrics(&self, step: usize, values: &[(&str, f64)]) {
        let record = MetricRecord {
            run: self.run.clone(),
            strategy: self.strategy.clone(),
            step,
            timestamp: self.host.now() as u64,
            values: values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect::<BTreeMap<_, _>>(),
        };
        self.host.emit(Event::Metrics {
            run: self.run.clone(),
            records: vec![record],
        });
    }

    pub fn sample(&self, step: usize, prompt: String, text: String) {
        self.host.emit(Event::Sample {
            run: self.run.clone(),
            step,
            prompt,
            text,
            reward: None,
            grounds: None,
        });
    }

    /// An answer with the passages that it was written from.
    pub fn grounded_sample(&self, step: usize, answer: GroundedAnswer) {
        self.host.emit(Event::Sample {
            run: self.run.clone(),
            step,
            prompt: answer.question,
            text: answer.answer,
            reward: None,
            grounds: Some(answer.grounds),
        });
    }

    /// A sample with what it was worth.
    pub fn rewarded_sample(&self, step: usize, prompt: String, text: String, reward: f64) {
        self.host.emit(Event::Sample {
            run: self.run.clone(),
            step,
            prompt,
            text,
            reward: Some(reward),
            grounds: None,
        });
    }

    pub fn map(&self, map: VectorMap) {
        self.host.emit(Event::Map {
            run: self.run.clone(),
            map,
        });
    }

    pub fn checkpoint(&self, step: usize, state: Vec<u8>) {
        self.host.emit(Event::Checkpoint {
            run: self.run.clone(),
            step,
            state,
        });
    }

    pub fn warn(&self, message: impl Into<String>) {
        self.host.emit(Event::Log {
            level: LogLevel::Warning,
            message: message.into(),
        });
    }

    /// Notes that a step ended, and reports progress. Returns tokens a second over the last steps.
    pub fn step_done(&mut self, step: usize, steps: usize, tokens: usize) -> f64 {
        let tokens_per_second = self.clock.step_done(self.host.now(), tokens);
        let seconds_left = (steps - step) as f64 * self.clock.seconds_per_step();
        let progress = Progress {
            step,
            steps,
            tokens_per_second,
            seconds_left,
        };
        self.host.emit(Event::Progress {
            run: self.run.clone(),
            progress,
        });
        tokens_per_second
    }

    pub(crate) fn host(&self) -> Rc<dyn Host> {
        self.host.clone()
    }

    /// Waits so many milliseconds. Returns whether the run was told to stop meanwhile.
    pub(crate) async fn wait(&mut self, milliseconds: f64) -> bool {
        const SLICE: f64 = 200.0;
        let mut left = milliseconds;
        while left > 0.0 {
            if self.breathe().await {
                return true;
            }
            self.host.sleep(left.min(SLICE)).await;
            left -= SLICE;
        }
        self.breathe().await
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn now(&self) -> f64 {
        self.host.now()
    }

    /// Seconds of work so far, pauses left out.
    pub fn seconds(&self) -> f64 {
        (self.host.now() - self.clock.started.unwrap_or(self.host.now()) - self.clock.waited)
            / 1000.0
    }

    /// Starts the clock of the next step: what lies between two steps (evaluation, samples) is not
    /// counted in tokens a second.
    pub fn step_begins(&mut self) {
        let now = self.host.now();
        self.clock.started.get_or_insert(now);
        self.clock.step_started = now;
    }

    /// What to do before the step after `step`: hears commands, and waits here while paused. To be
    /// asked until it says `Continue` or `Stop`.
    pub async fn control(&mut self, step: usize) -> Control {
        loop {
            while let Some(command) = self.host.next_command(false).await {
                self.commands.push_back(command);
            }
            if let Some(command) = self.commands.pop_front() {
                if let Some(control) = self.obey(command, step) {
                    return control;
                }
                continue;
            }
            if !self.paused {
                return Control::Continue;
            }
            if std::mem::take(&mut self.step_once) {
                return Control::Continue;
            }
            let began = self.host.now();
            let command = self.host.next_command(true).await;
            self.clock.waited += self.host.now() - began;
            match command {
                Some(command) => self.commands.push_back(command),
                // Nobody is left who could resume the run.
                None => return Control::Stop,
            }
        }
    }

    /// Lets the host receive commands in the midst of long work between steps. Returns whether the work
    /// should be cut short, since the run was told to stop; `control` then says so.
    pub async fn breathe(&mut self) -> bool {
        while let Some(command) = self.host.next_command(false).await {
            self.commands.push_back(command);
        }
        self.commands
            .iter()
            .any(|command| matches!(command, Command::Stop { .. }))
    }

    /// Says that a paused run has made the one step it was asked for.
    pub fn step_made(&self, step: usize) {
        if self.paused {
            self.host.emit(Event::Paused {
                run: self.run.clone(),
                step,
            });
        }
    }

    fn obey(&mut self, command: Command, step: usize) -> Option<Control> {
        let run = self.run.clone();
        match command {
            Command::Pause { .. } => {
                self.paused = true;
                self.host.emit(Event::Paused { run, step });
                None
            }
            Command::Resume { .. } => {
                self.paused = false;
                self.host.emit(Event::Resumed { run, step });
                None
            }
            Command::Step { .. } => {
                self.paused = true;
                self.step_once = true;
                None
            }
            Command::Stop { .. } => Some(Control::Stop),
            Command::Checkpoint { .. } => Some(Control::Checkpoint),
            Command::Generate { request, .. } => Some(Control::Generate(request)),
            // These begin something of their own, under ids that the host keeps apart.
            Command::Start { .. } | Command::Ask { .. } | Command::Vote { .. } => None,
        }
    }
}

/// Time of the last steps.
#[derive(Default)]
struct StepClock {
    started: Option<f64>,
    waited: f64,
    step_started: f64,
    /// The newest at the back.
    last: VecDeque<StepTime>,
}

struct StepTime {
    /// When the step ended, in milliseconds, pauses left out.
    end: f64,
    milliseconds: f64,
    tokens: usize,
}

/// Steps over which the speed is averaged.
const WINDOW: usize = 50;

impl StepClock {
    /// Tokens a second while training.
    fn step_done(&mut self, now: f64, tokens: usize) -> f64 {
        let milliseconds = now - self.step_started;
        self.last.push_back(StepTime {
            end: now - self.waited,
            milliseconds,
            tokens,
        });
        if self.last.len() > WINDOW {
            self.last.pop_front();
        }
        let tokens: usize = self.last.iter().map(|time| time.tokens).sum();
        let milliseconds: f64 = self.last.iter().map(|time| time.milliseconds).sum();
        // A step is never shorter than the clock's resolution.
        tokens as f64 * 1000.0 / milliseconds.max(1e-3)
    }

    /// With what is done between steps.
    fn seconds_per_step(&self) -> f64 {
        match (self.last.front(), self.last.back()) {
            (Some(first), Some(last)) if self.last.len() > 1 => {
                (last.end - first.end) / 1000.0 / (self.last.len() - 1) as f64
            }
            (Some(only), _) => only.milliseconds / 1000.0,
            _ => 0.0,
        }
    }
}
