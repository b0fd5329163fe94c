use lab_orchestrator::scheduler::{Key, Offer, Phase};
use lab_protocol::{BackendChoice, DeviceInfo, Event, LabError, RunResult};

/// A change, for the code that displays it.
#[derive(Clone, Debug)]
pub enum Change {
    /// The main worker was replaced, or has its device now.
    MainWorker(MainWorker),
    /// A strategy is in another phase.
    Strategy { strategy: Key, phase: Phase },
    /// The experiment is in another phase.
    Experiment(Phase),
    /// A run is sent to a worker; under the id of the earlier one if it continues from a checkpoint.
    Begun {
        strategy: Key,
        run: String,
        continues: bool,
    },
    /// An event of a strategy's run, but for its checkpoints and its end.
    Run { strategy: Key, event: Event },
    /// A run can be continued after this step, from [`crate::Client::checkpoint_of`].
    Checkpoint { strategy: Key, step: usize },
    /// A run has ended with this result, without its files, which are in [`crate::Client::files`]. The strategy's
    /// phase changes in a later task of the thread, to spread the drawing.
    Finished { strategy: Key, result: RunResult },
    /// An event of no strategy's run: an answer, a pair of answers, their failure, a line of the log.
    Other(Event),
    /// A run failed, or a worker was lost.
    Problem {
        strategy: Option<Key>,
        error: LabError,
        offers: Vec<Offer>,
    },
}

/// The main worker, which stays ready between runs.
#[derive(Clone, Debug, PartialEq)]
pub enum MainWorker {
    /// It is being started, with this choice of the user.
    Opening(BackendChoice),
    Ready(DeviceInfo),
    /// It is lost.
    Lost,
}
