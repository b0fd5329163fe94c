//! Decides everything that happens to an experiment, without performing any of it: when and where each strategy runs,
//! how many run at a time, and the effects of a pause, a stop, a failure or a lost executor on the others.
//!
//! [`Scheduler::handle`] takes one [`Input`], a wish of the user or a report of an executor, and returns the
//! [`Action`]s that follow. It knows no clock, no thread and no browser: the terminal and the page perform the same
//! actions with executors of their own.

mod dispatch;
mod machine;
mod phase;
mod pool;
mod reports;
#[cfg(test)]
mod tests;

pub use machine::Scheduler;
pub use phase::Phase;

use lab_protocol::{BackendChoice, LabError};

/// Names a strategy as long as its experiment is open. Its name may change, its key does not.
pub type Key = usize;
/// Identifies an executor. A replacement has a new number.
pub type ExecutorId = usize;
/// Names a run. A run that is continued keeps its number.
pub type RunNumber = usize;

/// Inputs of the scheduler.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Compute on this backend from now on. A run on the main executor continues from its last checkpoint there.
    UseBackend(BackendChoice),
    /// Run these strategies, each after its base. Ignored while an experiment is running.
    Run(Vec<Planned>),
    /// Continue a failed run from its last checkpoint on this backend, and run the strategies skipped because of it.
    Continue {
        strategy: Key,
        backend: BackendChoice,
    },
    /// Pause the running strategies, and start no others.
    Pause,
    Resume,
    /// Execute one step of everything that is paused.
    Step,
    /// End everything: running strategies keep their results so far, waiting ones are not run.
    Stop,
    /// End one strategy and nothing else.
    Cancel(Key),
    /// The results of a strategy are here without a run: an earlier run that was kept, or a base model's files.
    Loaded {
        strategy: Key,
        /// None for a base model.
        run: Option<RunNumber>,
        has_model: bool,
    },
    /// The results of a strategy are gone.
    Unloaded(Key),
    /// Another experiment is opened. Ignored while one is running.
    Forget,
    /// An executor has its device and takes runs. If it is the main one, `limit` strategies may run at a time.
    Ready {
        executor: ExecutorId,
        backend: BackendChoice,
        limit: usize,
    },
    /// An executor died, and its run with it.
    Lost {
        executor: ExecutorId,
        error: LabError,
    },
    /// The outcome of a run. Reports of executors that are gone and of runs that have ended are ignored.
    Report {
        executor: ExecutorId,
        run: RunNumber,
        report: Report,
    },
}

/// A strategy to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    pub key: Key,
    /// The strategy whose model it starts from.
    pub base: Option<Key>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// The run has built its model and takes steps now.
    Started,
    /// The run can be continued after this step.
    Checkpoint {
        step: usize,
    },
    Paused,
    Resumed,
    Finished {
        /// Whether it left files that others can start from.
        has_model: bool,
    },
    Failed(LabError),
}

/// Actions to perform, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Show that a strategy is in another phase.
    Changed { strategy: Key, phase: Phase },
    /// Show that the experiment is in another phase.
    ExperimentChanged(Phase),
    /// Show that the main executor is lost. If another takes its place, [`Action::Open`] follows.
    MainLost,
    /// Show an error, and the possible ways out of it.
    Problem {
        /// The strategy whose run failed; `None` if a lost executor had no run.
        strategy: Option<Key>,
        error: LabError,
        offers: Vec<Offer>,
    },
    /// Start an executor. The main one stays ready as long as it lives, the others end with their run.
    Open {
        executor: ExecutorId,
        backend: BackendChoice,
        main: bool,
    },
    /// End an executor.
    Close { executor: ExecutorId },
    /// Start a run on an executor that is ready.
    Start {
        executor: ExecutorId,
        strategy: Key,
        run: RunNumber,
        /// The strategy whose files it starts from.
        base: Option<Key>,
        /// The step of the checkpoint that it continues from.
        checkpoint: Option<usize>,
    },
    /// Pass a command on to a run.
    Send {
        executor: ExecutorId,
        run: RunNumber,
        command: RunCommand,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunCommand {
    Pause,
    Resume,
    Step,
    Stop,
}

/// A way out of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Continue the run of this strategy after the step of its last checkpoint.
    Continue {
        strategy: Key,
        step: usize,
        backend: BackendChoice,
    },
    /// Start the main executor again, on this backend.
    Restart { backend: BackendChoice },
}

impl Offer {
    /// The input that takes the offer up.
    pub fn accept(self) -> Input {
        match self {
            Self::Continue {
                strategy, backend, ..
            } => Input::Continue { strategy, backend },
            Self::Restart { backend } => Input::UseBackend(backend),
        }
    }
}
