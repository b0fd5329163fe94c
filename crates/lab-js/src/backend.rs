//! The backend this build is for.

use lab_protocol::BackendChoice;

pub const BACKEND: BackendChoice = if cfg!(feature = "webgpu") {
    BackendChoice::Wgpu
} else {
    BackendChoice::Cpu
};
