//! The device that computes.

#[cfg(feature = "wgpu")]
mod gpu;

use burn::tensor::Device;
use lab_protocol::{BackendChoice, ErrorCode, LabError, Text};

/// Opens the device for a backend: for `Auto` a GPU in a browser's GPU build, else the CPU. Gradients are recorded
/// for computations on it.
pub async fn open(choice: BackendChoice) -> Result<Device, LabError> {
    match choice {
        BackendChoice::Wgpu => open_gpu().await,
        BackendChoice::Auto if cfg!(feature = "webgpu") => open_gpu().await,
        BackendChoice::Auto | BackendChoice::Cpu => open_cpu(),
    }
}

#[cfg(feature = "cpu")]
fn open_cpu() -> Result<Device, LabError> {
    keep_memory();
    Ok(Device::flex().autodiff())
}

/// Tells the allocator to keep freed memory for later allocations. A step allocates and frees the same megabytes a
/// hundred times. Given back to the system, each page of them would cost a page fault at its next use, which took a
/// third of a small model's step.
#[cfg(all(feature = "cpu", target_os = "linux", target_env = "gnu"))]
fn keep_memory() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: sets two numbers under the allocator's lock; memory that is in use stays unchanged.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
            libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        }
    });
}

#[cfg(all(feature = "cpu", not(all(target_os = "linux", target_env = "gnu"))))]
fn keep_memory() {}

#[cfg(not(feature = "cpu"))]
fn open_cpu() -> Result<Device, LabError> {
    Err(unavailable(
        "this build is for the GPU only",
        "Load the CPU's build.",
    ))
}

#[cfg(feature = "wgpu")]
async fn open_gpu() -> Result<Device, LabError> {
    gpu::open().await.map_err(|error| {
        unavailable(
            lab_protocol::text!(
                "the GPU cannot be used: {error}",
                error = format!("{error:?}"),
            ),
            "Use the CPU: --backend cpu, or \"backend\": \"cpu\" in the experiment.",
        )
    })
}

/// Maximum size of a tensor in bytes on this device; `None` if only memory limits it.
#[cfg(feature = "wgpu")]
pub fn largest_tensor(device: &Device) -> Option<u64> {
    gpu::largest_tensor(device)
}

/// Maximum size of a tensor in bytes on this device; `None` if only memory limits it.
#[cfg(not(feature = "wgpu"))]
pub fn largest_tensor(_: &Device) -> Option<u64> {
    None
}

#[cfg(not(feature = "wgpu"))]
async fn open_gpu() -> Result<Device, LabError> {
    Err(unavailable(
        "this program was built without GPU support",
        "Build it with `--features wgpu`, or use the CPU: --backend cpu.",
    ))
}

fn unavailable(message: impl Into<Text>, hint: &str) -> LabError {
    LabError::new(ErrorCode::BackendUnavailable, message, hint).at("backend")
}
