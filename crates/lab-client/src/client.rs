//! The interface of the crate.

use crate::attachments::{Attachments, Files};
use crate::change::Change;
use crate::driver::{Driver, number, run_id};
use crate::experiment::{Experiment, Options, StrategyRun};
use js_sys::Uint8Array;
use lab_orchestrator::scheduler::{Input, Key, Offer, Planned};
use lab_protocol::{BackendChoice, Command, GenerateRequest};
use std::rc::Rc;

/// Runs experiments in workers. Clones are the same client.
#[derive(Clone)]
pub struct Client(Rc<Driver>);

impl Client {
    /// A client without a worker; [`Client::use_backend`] starts the first.
    pub fn new(options: Options) -> Self {
        Self(Rc::new(Driver::new(options)))
    }

    /// Has `on_change` called with every change from now on.
    pub fn on_change(&self, on_change: impl Fn(Change) + 'static) {
        *self.0.on_change.borrow_mut() = Rc::new(on_change);
    }

    /// Computes on this backend from now on.
    pub fn use_backend(&self, backend: BackendChoice) {
        self.0.input(Input::UseBackend(backend));
    }

    /// Runs an experiment's strategies. Ignored while one is running.
    pub fn run(&self, experiment: Experiment) {
        if self.0.scheduler.borrow().phase().is_active() {
            return;
        }
        let strategies = experiment.strategies.iter();
        let planned: Vec<Planned> = strategies
            .map(|StrategyRun { key, base, .. }| Planned {
                key: *key,
                base: *base,
            })
            .collect();
        for StrategyRun {
            key, checkpoint, ..
        } in &experiment.strategies
        {
            self.0.forget_strategy(*key);
            let given = checkpoint.iter().cloned().map(|state| (*key, state));
            self.0.checkpoints.borrow_mut().extend(given);
        }
        *self.0.experiment.borrow_mut() = Some(experiment);
        self.0.input(Input::Run(planned));
    }

    /// Takes up an offer that came with a problem.
    pub fn accept(&self, offer: Offer) {
        self.0.input(offer.accept());
    }

    /// Pauses everything that runs.
    pub fn pause(&self) {
        self.0.input(Input::Pause);
    }

    pub fn resume(&self) {
        self.0.input(Input::Resume);
    }

    /// One step of everything that is paused.
    pub fn step(&self) {
        self.0.input(Input::Step);
    }

    /// Ends everything; running strategies keep their results so far.
    pub fn stop(&self) {
        self.0.input(Input::Stop);
    }

    /// Ends one strategy.
    pub fn cancel(&self, strategy: Key) {
        self.0.input(Input::Cancel(strategy));
    }

    /// Takes the files of an earlier run, or the files of a base model if `run` is `None`.
    pub fn load(&self, strategy: Key, run: Option<&str>, files: Files) {
        let has_model = !files.is_empty();
        self.0.files.borrow_mut().insert(strategy, files);
        self.0.input(Input::Loaded {
            strategy,
            run: run.map(|run| number(run).unwrap_or_default()),
            has_model,
        });
    }

    /// Lets go of a strategy's files.
    pub fn unload(&self, strategy: Key) {
        self.0.forget_strategy(strategy);
        self.0.input(Input::Unloaded(strategy));
    }

    /// Forgets everything, because another experiment is opened. Ignored while one is running.
    pub fn forget(&self) {
        if self.0.scheduler.borrow().phase().is_active() {
            return;
        }
        self.0.files.borrow_mut().clear();
        self.0.checkpoints.borrow_mut().clear();
        *self.0.experiment.borrow_mut() = None;
        self.0.input(Input::Forget);
    }

    /// The experiment that is run, or was last.
    pub fn experiment(&self) -> Option<Experiment> {
        self.0.experiment.borrow().clone()
    }

    /// The files that a strategy has made.
    pub fn files(&self, strategy: Key) -> Files {
        let files = self.0.files.borrow();
        files.get(&strategy).cloned().unwrap_or_default()
    }

    /// The state of a strategy's run that was last reported, as long as the run has not ended.
    pub fn checkpoint_of(&self, strategy: Key) -> Option<Uint8Array> {
        self.0.checkpoints.borrow().get(&strategy).cloned()
    }

    /// Asks a run under way for a checkpoint; [`Change::Checkpoint`] follows.
    pub fn checkpoint(&self, strategy: Key) {
        self.send_to_run(strategy, |run| Command::Checkpoint { run });
    }

    /// Asks the model of a current run to continue a prompt; a sample event follows.
    pub fn generate(&self, strategy: Key, request: GenerateRequest) {
        self.send_to_run(strategy, |run| Command::Generate { run, request });
    }

    /// Sends a command to a strategy's run, if it is under way.
    fn send_to_run(&self, strategy: Key, command: impl FnOnce(String) -> Command) {
        let active = self.0.scheduler.borrow().active_run(strategy);
        if let Some((executor, run)) = active {
            let command = command(run_id(run));
            self.0.send(executor, &command, &Attachments::default());
        }
    }

    /// Sends a command to the main worker: a question to a finished run, or its stop.
    pub fn send(&self, command: &Command, attachments: &Attachments) {
        let main = self.0.scheduler.borrow().main_executor();
        if let Some(executor) = main {
            self.0.send(executor, command, attachments);
        }
    }
}
