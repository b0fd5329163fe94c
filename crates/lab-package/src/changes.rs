//! Changes as JavaScript objects, each with its kind in `change`.

use crate::values::to_js;
use lab_client::{Change, MainWorker};
use lab_orchestrator::scheduler::{Key, Offer, Phase};
use lab_protocol::{DeviceInfo, Event, LabError, RunResult};
use serde::Serialize;
use wasm_bindgen::JsValue;

#[derive(Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
enum Written<'a> {
    Opening,
    Ready {
        device: &'a DeviceInfo,
    },
    Lost,
    Strategy {
        strategy: Key,
        phase: &'static str,
    },
    Experiment {
        phase: &'static str,
    },
    Run {
        strategy: Key,
        event: &'a Event,
    },
    Checkpoint {
        strategy: Key,
        step: usize,
    },
    Finished {
        strategy: Key,
        result: &'a RunResult,
    },
    Other {
        event: &'a Event,
    },
    Problem {
        #[serde(skip_serializing_if = "Option::is_none")]
        strategy: Option<Key>,
        error: &'a LabError,
        /// Whether the run can be continued from its last checkpoint.
        can_continue: bool,
    },
}

/// The change as the package's TypeScript reads it (`changes.ts`); none where it says nothing to a program.
pub fn change_to_js(change: &Change) -> Option<JsValue> {
    let written = match change {
        Change::MainWorker(MainWorker::Opening(_)) => Written::Opening,
        Change::MainWorker(MainWorker::Ready(device)) => Written::Ready { device },
        Change::MainWorker(MainWorker::Lost) => Written::Lost,
        Change::Strategy { strategy, phase } => Written::Strategy {
            strategy: *strategy,
            phase: phase_name(*phase),
        },
        Change::Experiment(phase) => Written::Experiment {
            phase: phase_name(*phase),
        },
        Change::Begun { .. } => return None,
        Change::Run { strategy, event } => Written::Run {
            strategy: *strategy,
            event,
        },
        Change::Checkpoint { strategy, step } => Written::Checkpoint {
            strategy: *strategy,
            step: *step,
        },
        Change::Finished { strategy, result } => Written::Finished {
            strategy: *strategy,
            result,
        },
        Change::Other(event) => Written::Other { event },
        Change::Problem {
            strategy,
            error,
            offers,
        } => Written::Problem {
            strategy: *strategy,
            error,
            can_continue: offers
                .iter()
                .any(|offer| matches!(offer, Offer::Continue { .. })),
        },
    };
    Some(to_js(&written))
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Waiting => "waiting",
        Phase::Starting => "starting",
        Phase::Running => "running",
        Phase::Pausing => "pausing",
        Phase::Paused => "paused",
        Phase::Stopping => "stopping",
        Phase::Finished => "finished",
        Phase::Failed => "failed",
        Phase::Skipped => "skipped",
    }
}
