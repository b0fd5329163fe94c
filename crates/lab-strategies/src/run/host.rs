//! The platform around a run.

use async_trait::async_trait;
use lab_protocol::{Command, Event};

/// Clock, commands in, events out. The worker and the terminal program each have one. Beside the
/// [`Network`](super::network::Network) the core has no other access to the outside.
#[async_trait(?Send)]
pub trait Host {
    /// Milliseconds since 1970-01-01 UTC.
    fn now(&self) -> f64;

    /// Takes an event. Metrics may be merged on the way; nothing else may be lost.
    fn emit(&self, event: Event);

    /// The next command to this run. Without `wait`, `None` if there is none now; either way the host gets the chance
    /// to receive commands.
    async fn next_command(&self, wait: bool) -> Option<Command>;

    /// The peak memory of the program so far, in bytes, if the platform can tell.
    fn peak_bytes(&self) -> Option<u64> {
        None
    }

    /// The maximum memory of the program, in bytes, if the platform can tell. It does not include a GPU's own memory.
    fn memory(&self) -> Option<u64> {
        None
    }
}
