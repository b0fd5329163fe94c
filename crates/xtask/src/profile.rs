//! Profiles of a build: the effort for speed and size.

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// For debugging.
    Dev,
    /// For serving and tests: fast code, built in minutes.
    Standard,
    /// For publishing.
    Small,
}

/// A profile, and whether the benchmark's class is part of the build.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    pub profile: Profile,
    /// With the class `Bench` in the workers, which is not published.
    pub bench: bool,
}

impl From<Profile> for Variant {
    fn from(profile: Profile) -> Self {
        Self {
            profile,
            bench: false,
        }
    }
}

impl Profile {
    /// The cargo profile of the workers.
    pub fn worker(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Standard => "worker",
            Self::Small => "worker-small",
        }
    }

    /// The cargo profile of the page.
    pub fn page(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Standard => "page",
            Self::Small => "page-small",
        }
    }

    /// The folder that cargo names after the worker's profile.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            other => other.worker(),
        }
    }
}
