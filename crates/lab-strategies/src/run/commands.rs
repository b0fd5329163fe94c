//! The commands to a run, heard between steps and during long work.

use super::host::Host;
use lab_protocol::Command;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Commands that the host has received and the run has not obeyed yet, in order.
pub(super) struct Commands {
    host: Rc<dyn Host>,
    waiting: RefCell<VecDeque<Command>>,
}

impl Commands {
    pub(super) fn new(host: Rc<dyn Host>) -> Rc<Self> {
        Rc::new(Self {
            host,
            waiting: RefCell::default(),
        })
    }

    /// The next command, if there is one.
    pub(super) async fn next(&self) -> Option<Command> {
        self.receive().await;
        self.waiting.borrow_mut().pop_front()
    }

    /// Waits for a command. `None` if nobody can send one any more.
    pub(super) async fn wait(&self) -> Option<Command> {
        self.host.next_command(true).await
    }

    async fn receive(&self) {
        while let Some(command) = self.host.next_command(false).await {
            self.waiting.borrow_mut().push_back(command);
        }
    }
}

/// Tells long work that the run was told to stop.
#[derive(Clone)]
pub struct StopSignal(pub(super) Rc<Commands>);

impl StopSignal {
    /// For commands that `host` receives; only a stop is obeyed.
    pub fn of(host: Rc<dyn Host>) -> Self {
        Self(Commands::new(host))
    }

    /// Whether the run was told to stop; if so, the caller must cut its work short. Long work asks every few
    /// milliseconds, which also gives the host the chance to receive commands.
    pub async fn requested(&self) -> bool {
        self.0.receive().await;
        let waiting = self.0.waiting.borrow();
        let stops = |command: &Command| matches!(command, Command::Stop { .. });
        waiting.iter().any(stops)
    }
}
