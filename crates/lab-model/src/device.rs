//! The device that computes.

use burn::tensor::Device;
use lab_protocol::{BackendChoice, ErrorCode, LabError};

/// Opens the device for a backend: for `Auto` a GPU in a browser's GPU build, else the CPU. Gradients
/// are recorded for what is computed on it.
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

/// Has the allocator keep what is freed for what comes next. A step takes and frees the same megabytes a
/// hundred times; given back to the system, each page of them would be a fault again at its next use, which
/// took a third of a small model's step.
#[cfg(all(feature = "cpu", target_os = "linux", target_env = "gnu"))]
fn keep_memory() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: sets two numbers under the allocator's lock; memory that is in use stays as it is.
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

/// A program opens the GPU once; whoever asks again shares it.
#[cfg(feature = "wgpu")]
static GPU: async_lock::OnceCell<Device> = async_lock::OnceCell::new();

#[cfg(feature = "wgpu")]
async fn open_gpu() -> Result<Device, LabError> {
    crate::kernels::prepare();
    let open = async || {
        let device = burn::tensor::wgpu::WgpuOptions::default().init_async();
        device.await.map(Device::autodiff)
    };
    let device = GPU.get_or_try_init(open).await;
    device.cloned().map_err(|error| {
        unavailable(
            &format!("the GPU cannot be used: {error:?}"),
            "Use the CPU: --backend cpu, or \"backend\": \"cpu\" in the experiment.",
        )
    })
}

#[cfg(not(feature = "wgpu"))]
async fn open_gpu() -> Result<Device, LabError> {
    Err(unavailable(
        "this program was built without GPU support",
        "Build it with `--features wgpu`, or use the CPU: --backend cpu.",
    ))
}

fn unavailable(message: &str, hint: &str) -> LabError {
    LabError::new(ErrorCode::BackendUnavailable, message, hint).at("backend")
}
