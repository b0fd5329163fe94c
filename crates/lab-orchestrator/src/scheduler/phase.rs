/// The phase of a strategy, or of the whole experiment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It has not been run.
    #[default]
    Idle,
    /// Its turn comes when others are done.
    Waiting,
    /// An executor has it, but has not answered yet.
    Starting,
    Running,
    /// A pause was requested; the current step is being finished.
    Pausing,
    Paused,
    /// A stop was requested; the current step and the last evaluation are being finished.
    Stopping,
    Finished,
    Failed,
    /// The strategy that it starts from has no model.
    Skipped,
}

impl Phase {
    /// Active phases; of several strategies, the first of these that any has is the experiment's.
    pub(super) const ACTIVE: [Self; 5] = [
        Self::Stopping,
        Self::Pausing,
        Self::Running,
        Self::Starting,
        Self::Paused,
    ];

    /// Whether an executor works on it.
    pub fn is_active(self) -> bool {
        Self::ACTIVE.contains(&self)
    }

    /// Whether it may still get a result.
    pub fn is_to_come(self) -> bool {
        self == Self::Waiting || self.is_active()
    }
}
