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
    Ok(Device::flex().autodiff())
}

#[cfg(not(feature = "cpu"))]
fn open_cpu() -> Result<Device, LabError> {
    Err(unavailable(
        "this build is for the GPU only",
        "Load the CPU's build.",
    ))
}

#[cfg(feature = "wgpu")]
async fn open_gpu() -> Result<Device, LabError> {
    crate::kernels::prepare();
    let device = burn::tensor::wgpu::WgpuOptions::default()
        .init_async()
        .await;
    device.map(Device::autodiff).map_err(|error| {
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
