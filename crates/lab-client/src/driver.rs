//! Performs the scheduler's decisions, with workers.

use crate::attachments::{Attachments, Files};
use crate::change::{Change, MainWorker};
use crate::connection::Connection;
use crate::experiment::{Experiment, Options};
use crate::message::Message;
use js_sys::{Reflect, Uint8Array};
use lab_orchestrator::scheduler::{
    Action, ExecutorId, Input, Key, Report, RunCommand, RunNumber, Scheduler,
};
use lab_protocol::{BackendChoice, Command, DeviceInfo, Event, LabError};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::{Rc, Weak};
use wasm_bindgen::prelude::*;

/// Maximum number of workers: each has a memory of its own.
const MAX_WORKERS: usize = 4;

/// The state of a client, and the actions that the scheduler requested.
pub(crate) struct Driver {
    pub options: Options,
    pub on_change: RefCell<Rc<dyn Fn(Change)>>,
    pub scheduler: RefCell<Scheduler>,
    pub connections: RefCell<BTreeMap<ExecutorId, Connection>>,
    pub experiment: RefCell<Option<Experiment>>,
    /// Results of strategies.
    pub files: RefCell<BTreeMap<Key, Files>>,
    pub checkpoints: RefCell<BTreeMap<Key, Uint8Array>>,
    /// Runs that have finished. Their phases change in a later task, and commands may still cross their end.
    pub finished: RefCell<BTreeSet<RunNumber>>,
    /// Still to be done.
    pub actions: RefCell<VecDeque<Action>>,
    /// Whether a task is scheduled to perform them.
    pub is_scheduled: Cell<bool>,
}

impl Driver {
    pub fn new(options: Options) -> Self {
        Self {
            options,
            on_change: RefCell::new(Rc::new(|_| {})),
            scheduler: RefCell::default(),
            connections: RefCell::default(),
            experiment: RefCell::default(),
            files: RefCell::default(),
            checkpoints: RefCell::default(),
            finished: RefCell::default(),
            actions: RefCell::default(),
            is_scheduled: Cell::new(false),
        }
    }

    fn change(&self, change: Change) {
        let on_change = self.on_change.borrow().clone();
        on_change(change);
    }

    pub fn input(self: &Rc<Self>, input: Input) {
        let actions = self.scheduler.borrow_mut().handle(input);
        self.actions.borrow_mut().extend(actions);
        if !self.is_scheduled.get() {
            self.perform_all(false);
        }
    }

    /// Performs the requested actions in their order. Each start is a task of its own, to keep the thread's tasks
    /// short.
    fn perform_all(self: &Rc<Self>, mut is_new_task: bool) {
        loop {
            let is_start = matches!(self.actions.borrow().front(), Some(Action::Start { .. }));
            if is_start && !is_new_task {
                self.is_scheduled.set(true);
                let driver = self.clone();
                return later(move || {
                    driver.is_scheduled.set(false);
                    driver.perform_all(true);
                });
            }
            let action = self.actions.borrow_mut().pop_front();
            let Some(action) = action else { return };
            is_new_task = false;
            self.perform(action);
        }
    }

    fn perform(self: &Rc<Self>, action: Action) {
        match action {
            Action::Changed { strategy, phase } => {
                self.change(Change::Strategy { strategy, phase });
            }
            Action::ExperimentChanged(phase) => self.change(Change::Experiment(phase)),
            Action::MainLost => self.change(Change::MainWorker(MainWorker::Lost)),
            Action::Problem {
                strategy,
                error,
                offers,
            } => self.change(Change::Problem {
                strategy,
                error,
                offers,
            }),
            Action::Open {
                executor,
                backend,
                main,
            } => {
                if main {
                    self.change(Change::MainWorker(MainWorker::Opening(backend)));
                }
                self.open(executor, backend);
            }
            Action::Close { executor } => self.close(executor),
            Action::Start {
                executor,
                strategy,
                run,
                base,
                checkpoint,
            } => self.start(executor, strategy, run, base, checkpoint.is_some()),
            Action::Send {
                executor,
                run,
                command,
            } => {
                let run = run_id(run);
                let command = match command {
                    RunCommand::Pause => Command::Pause { run },
                    RunCommand::Resume => Command::Resume { run },
                    RunCommand::Step => Command::Step { run },
                    RunCommand::Stop => Command::Stop { run },
                };
                self.send(executor, &command, &Attachments::default());
            }
        }
    }

    fn open(self: &Rc<Self>, executor: ExecutorId, backend: BackendChoice) {
        let driver = Rc::downgrade(self);
        let receive = move |message| {
            if let Some(driver) = Weak::upgrade(&driver) {
                driver.receive(executor, message);
            }
        };
        match Connection::new((self.options.open)(backend), receive) {
            Ok(connection) => drop(self.connections.borrow_mut().insert(executor, connection)),
            Err(error) => self.lost(executor, error),
        }
    }

    fn close(&self, executor: ExecutorId) {
        // Dropped after the borrow of the list has ended.
        let _closed = self.connections.borrow_mut().remove(&executor);
    }

    fn lost(self: &Rc<Self>, executor: ExecutorId, error: LabError) {
        self.close(executor);
        self.input(Input::Lost { executor, error });
    }

    fn start(
        self: &Rc<Self>,
        executor: ExecutorId,
        strategy: Key,
        run: RunNumber,
        base: Option<Key>,
        continues: bool,
    ) {
        let experiment = self.experiment.borrow().clone();
        let planned = experiment.and_then(|experiment| {
            let mut strategies = experiment.strategies.iter();
            let planned = strategies.find(|planned| planned.key == strategy)?.clone();
            Some((experiment, planned))
        });
        // The worker may have died while the start was waiting for its task.
        let is_there = self.connections.borrow().contains_key(&executor);
        let Some((experiment, planned)) = planned.filter(|_| is_there) else {
            return;
        };
        self.finished.borrow_mut().remove(&run);
        let run = run_id(run);
        self.change(Change::Begun {
            strategy,
            run: run.clone(),
            continues,
        });
        let command = Command::Start {
            run,
            experiment: experiment.config,
            strategy: planned.name,
            text: experiment.text.to_string(),
            base: Vec::new(),
            checkpoint: None,
            key: planned.endpoint_key,
        };
        let files = base.and_then(|base| self.files.borrow().get(&base).cloned());
        let checkpoint = self.checkpoints.borrow().get(&strategy).cloned();
        let attachments = Attachments {
            checkpoint,
            base: files.unwrap_or_default(),
        };
        self.send(executor, &command, &attachments);
    }

    pub fn send(
        self: &Rc<Self>,
        executor: ExecutorId,
        command: &Command,
        attachments: &Attachments,
    ) {
        let sent = {
            let connections = self.connections.borrow();
            let connection = connections.get(&executor);
            connection.map_or(Ok(()), |connection| connection.send(command, attachments))
        };
        if let Err(error) = sent {
            self.lost(executor, error);
        }
    }

    fn receive(self: &Rc<Self>, executor: ExecutorId, message: Message) {
        let of = |run: &str| {
            let run = number(run)?;
            let strategy = self.scheduler.borrow().strategy_of(executor, run)?;
            Some((strategy, run))
        };
        match message {
            Message::Broken(error) => self.lost(executor, error),
            Message::Checkpoint { run, step, state } => {
                if let Some((strategy, run)) = of(&run) {
                    self.checkpoints.borrow_mut().insert(strategy, state);
                    self.change(Change::Checkpoint { strategy, step });
                    self.report(executor, run, Report::Checkpoint { step });
                }
            }
            Message::Finished { run, result, files } => {
                if let Some((strategy, run)) = of(&run) {
                    self.finished.borrow_mut().insert(run);
                    let has_model = !files.is_empty();
                    self.files.borrow_mut().insert(strategy, files);
                    self.checkpoints.borrow_mut().remove(&strategy);
                    self.change(Change::Finished { strategy, result });
                    let driver = self.clone();
                    later(move || driver.report(executor, run, Report::Finished { has_model }));
                }
            }
            Message::Event(Event::Ready(device)) => self.ready(executor, device),
            Message::Event(event) => match event_run(&event).and_then(of) {
                Some((strategy, run)) => self.event(executor, strategy, run, event),
                None => self.change(Change::Other(event)),
            },
        }
    }

    fn ready(self: &Rc<Self>, executor: ExecutorId, device: DeviceInfo) {
        let backend = device.backend;
        if self.scheduler.borrow().main_executor() == Some(executor) {
            self.change(Change::MainWorker(MainWorker::Ready(device)));
        }
        self.input(Input::Ready {
            executor,
            backend,
            limit: self.limit(backend),
        });
    }

    /// An event of a strategy's run.
    fn event(self: &Rc<Self>, executor: ExecutorId, strategy: Key, run: RunNumber, event: Event) {
        let report = match &event {
            Event::Started { .. } => Some(Report::Started),
            Event::Paused { .. } => Some(Report::Paused),
            Event::Resumed { .. } => Some(Report::Resumed),
            // A command that crossed the end of the run.
            Event::Failed { .. } if self.finished.borrow().contains(&run) => return,
            Event::Failed { error, .. } => {
                return self.report(executor, run, Report::Failed(error.clone()));
            }
            _ => None,
        };
        self.change(Change::Run { strategy, event });
        if let Some(report) = report {
            self.report(executor, run, report);
        }
    }

    fn report(self: &Rc<Self>, executor: ExecutorId, run: RunNumber, report: Report) {
        self.input(Input::Report {
            executor,
            run,
            report,
        });
    }

    /// Strategies that may run at a time: the GPU is one, of the CPU there are as many as it has processors.
    fn limit(&self, backend: BackendChoice) -> usize {
        match backend {
            BackendChoice::Cpu => {
                let parallel = self.options.parallel;
                parallel.unwrap_or_else(|| processors().min(MAX_WORKERS))
            }
            BackendChoice::Auto | BackendChoice::Wgpu => 1,
        }
    }

    pub fn forget_strategy(&self, strategy: Key) {
        self.files.borrow_mut().remove(&strategy);
        self.checkpoints.borrow_mut().remove(&strategy);
    }
}

/// Processors of this machine, as far as the platform tells.
fn processors() -> usize {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into());
    let count = navigator.and_then(|it| Reflect::get(&it, &"hardwareConcurrency".into()));
    count.ok().and_then(|count| count.as_f64()).unwrap_or(1.0) as usize
}

#[wasm_bindgen]
extern "C" {
    /// Of pages, workers and programs alike.
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &JsValue);
}

pub(crate) fn run_id(run: RunNumber) -> String {
    format!("run-{run}")
}

/// The number of `run-7`.
pub(crate) fn number(run: &str) -> Option<RunNumber> {
    run.strip_prefix("run-")?.parse().ok()
}

/// Does something in a later task of the thread.
fn later(work: impl FnOnce() + 'static) {
    set_timeout(&Closure::once_into_js(work));
}

fn event_run(event: &Event) -> Option<&str> {
    match event {
        Event::Ready(_) | Event::Log { .. } => None,
        Event::Failed { run, .. } => run.as_deref(),
        Event::Started { run, .. }
        | Event::Metrics { run, .. }
        | Event::Sample { run, .. }
        | Event::Writing { run, .. }
        | Event::Map { run, .. }
        | Event::Answer { run, .. }
        | Event::Passages { run, .. }
        | Event::Vote { run, .. }
        | Event::Progress { run, .. }
        | Event::Checkpoint { run, .. }
        | Event::Paused { run, .. }
        | Event::Resumed { run, .. }
        | Event::Finished { run, .. } => Some(run),
    }
}
