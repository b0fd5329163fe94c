//! The platform around a run.

use async_trait::async_trait;
use lab_protocol::{Command, Event};

/// Clock, commands in, events out. The worker and the terminal program each have one; beside the
/// [`Network`](super::network::Network) the core has no other way to the outside.
#[async_trait(?Send)]
pub trait Host {
    /// Milliseconds since 1970-01-01 UTC.
    fn now(&self) -> f64;

    /// Takes an event. Metrics may be coalesced on the way; nothing else may be lost.
    fn emit(&self, event: Event);

    /// The next command to this run. Without `wait`, `None` if there is none now; either way the host
    /// gets the chance to receive some.
    async fn next_command(&self, wait: bool) -> Option<Command>;

    /// The most memory that the program has taken so far, in bytes, where the platform can tell.
    fn peak_bytes(&self) -> Option<u64> {
        None
    }

    /// The most memory that the program may take, in bytes, where the platform can tell. A GPU's own is not meant.
    fn memory(&self) -> Option<u64> {
        None
    }
}
