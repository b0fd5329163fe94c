//! The workers. The first stands by as long as the page is there. On the CPU others run beside it what does not
//! depend on what it runs, one strategy each, and go when nothing is left for them.

use crate::lab::Lab;
use crate::platform;
use crate::worker::{Cargo, Connection};
use lab_protocol::{BackendChoice, Command, DeviceInfo, LabError};
use leptos::prelude::*;

/// Workers at most: each has a memory of its own.
const MOST: usize = 4;

struct Worker {
    /// Tells it from one that was ended before.
    id: usize,
    connection: Connection,
    ready: bool,
    /// Key of the strategy that it is at.
    strategy: Option<usize>,
    /// What it is to be sent once it is ready.
    waiting: Option<(Command, Cargo)>,
}

#[derive(Default)]
pub(crate) struct Workers {
    all: Vec<Worker>,
    /// The id of the first.
    first: usize,
    opened: usize,
}

impl Workers {
    fn get(&mut self, id: usize) -> Option<&mut Worker> {
        self.all.iter_mut().find(|worker| worker.id == id)
    }
}

impl Lab {
    /// Ends the first worker, if there is one, and starts another on `backend`.
    pub fn start_worker(&self, backend: BackendChoice) {
        let store = self.store;
        store.backend.set(backend);
        store.alive.set(true);
        store.device.set(None);
        store.asked.set(None);
        self.inner.update_value(|inner| {
            let first = inner.workers.first;
            inner.workers.all.retain(|worker| worker.id != first);
        });
        match self.open_worker(backend) {
            Ok(id) => self.inner.update_value(|inner| inner.workers.first = id),
            Err(error) => self.worker_broke(0, error),
        }
    }

    fn open_worker(&self, backend: BackendChoice) -> Result<usize, LabError> {
        let count = self.inner.try_update_value(|inner| {
            inner.workers.opened += 1;
            inner.workers.opened
        });
        let id = count.unwrap_or_default();
        let lab = *self;
        let connection = Connection::open(backend, move |message| {
            let known = |worker: &Worker| worker.id == id;
            if lab
                .inner
                .with_value(|inner| inner.workers.all.iter().any(known))
            {
                lab.receive(id, message);
            }
        })?;
        let worker = Worker {
            id,
            connection,
            ready: false,
            strategy: None,
            waiting: None,
        };
        self.inner
            .update_value(|inner| inner.workers.all.push(worker));
        Ok(id)
    }

    /// A worker for one more strategy, if there may be one.
    pub(crate) fn free_worker(&self) -> Option<usize> {
        let store = self.store;
        // The last worker may be gone, and its error dismissed.
        if !store.alive.get_untracked() {
            self.start_worker(store.backend.get_untracked());
        }
        let (free, count) = self.inner.with_value(|inner| {
            let mut all = inner.workers.all.iter();
            let free = all.find(|worker| worker.strategy.is_none());
            (free.map(|worker| worker.id), inner.workers.all.len())
        });
        let on_cpu = |device: &DeviceInfo| device.backend == BackendChoice::Cpu;
        let more = store
            .device
            .with_untracked(|device| device.as_ref().is_some_and(on_cpu));
        match free {
            None if more && count < platform::processors().min(MOST) => {
                self.open_worker(BackendChoice::Cpu).ok()
            }
            free => free,
        }
    }

    /// Gives a worker a strategy, now or when it is ready.
    pub(crate) fn employ(&self, id: usize, key: usize, command: Command, cargo: Cargo) {
        let now = self
            .inner
            .try_update_value(|inner| {
                let worker = inner.workers.get(id)?;
                worker.strategy = Some(key);
                if worker.ready {
                    return Some((command, cargo));
                }
                worker.waiting = Some((command, cargo));
                None
            })
            .flatten();
        if let Some((command, cargo)) = now {
            self.send_to(id, &command, &cargo);
        }
    }

    /// A worker has its device.
    pub(crate) fn ready(&self, id: usize, device: DeviceInfo) {
        let (first, waiting) = self
            .inner
            .try_update_value(|inner| {
                let first = inner.workers.first == id;
                let worker = inner.workers.get(id);
                let waiting = worker.and_then(|worker| {
                    worker.ready = true;
                    worker.waiting.take()
                });
                (first, waiting)
            })
            .unwrap_or_default();
        if first {
            self.store.device.set(Some(device));
        }
        if let Some((command, cargo)) = waiting {
            self.send_to(id, &command, &cargo);
            // Others may work beside it.
            self.next();
        }
    }

    /// The worker that is at a strategy.
    pub(crate) fn worker_of(&self, key: usize) -> Option<usize> {
        self.inner.with_value(|inner| {
            let mut all = inner.workers.all.iter();
            let found = all.find(|worker| worker.strategy == Some(key));
            found.map(|worker| worker.id)
        })
    }

    /// The strategy of this key is done.
    pub(crate) fn set_free(&self, key: usize) {
        self.inner.update_value(|inner| {
            for worker in &mut inner.workers.all {
                if worker.strategy == Some(key) {
                    worker.strategy = None;
                }
            }
        });
    }

    /// Ends the workers beside the first that have nothing to do.
    pub(crate) fn end_idle_workers(&self) {
        self.inner.update_value(|inner| {
            let workers = &mut inner.workers;
            let first = workers.first;
            workers
                .all
                .retain(|worker| worker.id == first || worker.strategy.is_some());
        });
    }

    /// Takes back what waits for workers to be ready; gives the keys of the strategies.
    pub(crate) fn take_back(&self) -> Vec<usize> {
        let taken = self.inner.try_update_value(|inner| {
            let all = inner.workers.all.iter_mut();
            all.filter_map(|worker| {
                worker.waiting.take()?;
                worker.strategy.take()
            })
            .collect()
        });
        taken.unwrap_or_default()
    }

    /// A worker is lost. Gives the key of the strategy that it was at, and whether it was the first.
    pub(crate) fn lose_worker(&self, id: usize) -> (Option<usize>, bool) {
        self.inner
            .try_update_value(|inner| {
                let workers = &mut inner.workers;
                let strategy = workers.get(id).and_then(|worker| worker.strategy);
                workers.all.retain(|worker| worker.id != id);
                (strategy, id == workers.first || id == 0)
            })
            .unwrap_or_default()
    }

    /// Sends a command to the first worker.
    pub(crate) fn send(&self, command: &Command, cargo: &Cargo) {
        let first = self.inner.with_value(|inner| inner.workers.first);
        self.send_to(first, command, cargo);
    }

    pub(crate) fn send_to(&self, id: usize, command: &Command, cargo: &Cargo) {
        let sent = self.inner.with_value(|inner| {
            let mut all = inner.workers.all.iter();
            let worker = all.find(|worker| worker.id == id)?;
            Some(worker.connection.send(command, cargo))
        });
        if let Some(Err(error)) = sent {
            self.worker_broke(id, error);
        }
    }
}
