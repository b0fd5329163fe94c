//! The executors, and which strategy each has.

use super::{ExecutorId, Key};
use lab_protocol::BackendChoice;

#[derive(Clone, Debug)]
pub(super) struct Executor {
    pub id: ExecutorId,
    /// It has its device. Before that it is sent nothing.
    pub is_ready: bool,
    pub strategy: Option<Key>,
}

#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub executors: Vec<Executor>,
    /// The main executor, which stays ready between runs.
    pub main: Option<ExecutorId>,
    /// The user's choice for the main executor.
    pub backend: BackendChoice,
    /// The device of the main executor; `None` until it is ready.
    pub device: Option<BackendChoice>,
    /// Strategies that may run at a time, at least 1.
    pub limit: usize,
    opened: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            executors: Vec::new(),
            main: None,
            backend: BackendChoice::Auto,
            device: None,
            limit: 1,
            opened: 0,
        }
    }
}

impl Pool {
    pub fn get(&mut self, id: ExecutorId) -> Option<&mut Executor> {
        self.executors.iter_mut().find(|executor| executor.id == id)
    }

    /// The executor that has this strategy.
    pub fn of(&self, strategy: Key) -> Option<&Executor> {
        let mut executors = self.executors.iter();
        executors.find(|executor| executor.strategy == Some(strategy))
    }

    pub fn release(&mut self, strategy: Key) {
        for executor in &mut self.executors {
            if executor.strategy == Some(strategy) {
                executor.strategy = None;
            }
        }
    }

    /// Takes an executor out; also the main one, which then has no successor yet.
    pub fn remove(&mut self, id: ExecutorId) -> Option<Executor> {
        let place = self
            .executors
            .iter()
            .position(|executor| executor.id == id)?;
        if self.main == Some(id) {
            self.main = None;
            self.device = None;
        }
        Some(self.executors.remove(place))
    }

    pub fn add(&mut self) -> ExecutorId {
        self.opened += 1;
        self.executors.push(Executor {
            id: self.opened,
            is_ready: false,
            strategy: None,
        });
        self.opened
    }

    pub fn free(&self) -> Option<ExecutorId> {
        let mut executors = self.executors.iter();
        let free = executors.find(|executor| executor.strategy.is_none());
        free.map(|executor| executor.id)
    }

    pub fn has_room(&self) -> bool {
        let busy = self.executors.iter().filter(|e| e.strategy.is_some());
        busy.count() < self.limit
    }

    /// Takes out the executors beside the main one that have nothing to do.
    pub fn take_idle(&mut self) -> Vec<ExecutorId> {
        let main = self.main;
        let idle =
            |executor: &mut Executor| executor.strategy.is_none() && Some(executor.id) != main;
        let taken = self.executors.extract_if(.., idle);
        taken.map(|executor| executor.id).collect()
    }
}
