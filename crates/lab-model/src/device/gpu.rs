//! The GPU, opened through burn-wgpu: its adapter, its limits, its memory management, and the number of kernels in a
//! submission.

use async_lock::OnceCell;
use burn::tensor::Device;
use burn_wgpu::graphics::AutoGraphicsApi;
use burn_wgpu::{
    MemoryConfiguration, RuntimeOptions, WgpuDevice, WgpuInitError, try_init_setup_async,
};

/// Number of kernels that are collected before one submission to the GPU. The GPU starts with the first ones while
/// the host prepares the next: with many more it would wait for the host. Each submission costs a call.
const KERNELS_IN_A_SUBMISSION: usize = 32;

/// A program opens the GPU once; later callers share it.
static GPU: OnceCell<Gpu> = OnceCell::new();

struct Gpu {
    device: Device,
    largest_tensor: u64,
}

/// Opens the GPU, or returns the open one. Gradients are recorded for computations on it.
pub async fn open() -> Result<Device, WgpuInitError> {
    crate::kernels::prepare();
    let gpu = GPU.get_or_try_init(request).await?;
    Ok(gpu.device.clone())
}

/// Maximum size of a tensor in bytes on this device, if it is the GPU: a kernel sees a tensor as one binding of one
/// buffer.
pub fn largest_tensor(device: &Device) -> Option<u64> {
    let gpu = GPU.get().filter(|gpu| gpu.device == *device);
    gpu.map(|gpu| gpu.largest_tensor)
}

/// Requests the fastest adapter, by whatever API the system has, with all that it supports: burn-wgpu requests the
/// adapter's own features and limits.
async fn request() -> Result<Gpu, WgpuInitError> {
    let adapter = WgpuDevice::default();
    let options = RuntimeOptions {
        tasks_max: KERNELS_IN_A_SUBMISSION,
        // In a browser a page for each tensor, because a buffer cannot be bound in parts there; elsewhere parts of
        // pages that grow with the largest tensor.
        memory_config: MemoryConfiguration::default(),
    };
    let setup = try_init_setup_async::<AutoGraphicsApi>(&adapter, options).await?;
    let limits = setup.device.limits();
    Ok(Gpu {
        device: Device::from(adapter).autodiff(),
        largest_tensor: limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size),
    })
}
