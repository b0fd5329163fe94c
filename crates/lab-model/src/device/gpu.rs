//! The GPU, opened through burn-wgpu: on which adapter, with which limits, how its memory is managed, and how
//! many kernels go to it at once.

use async_lock::OnceCell;
use burn::tensor::Device;
use burn_wgpu::graphics::AutoGraphicsApi;
use burn_wgpu::{
    MemoryConfiguration, RuntimeOptions, WgpuDevice, WgpuInitError, try_init_setup_async,
};

/// Kernels that are collected before they go to the GPU in one submission. It begins with the first ones while
/// the host prepares the next: with many more it would wait for the host, and each submission costs a call.
const KERNELS_IN_A_SUBMISSION: usize = 32;

/// A program opens the GPU once; whoever asks again shares it.
static GPU: OnceCell<Gpu> = OnceCell::new();

struct Gpu {
    device: Device,
    largest_tensor: u64,
}

/// Opens the GPU, or gives the one that is open. Gradients are recorded for what is computed on it.
pub async fn open() -> Result<Device, WgpuInitError> {
    crate::kernels::prepare();
    let gpu = GPU.get_or_try_init(request).await?;
    Ok(gpu.device.clone())
}

/// Bytes that one tensor may have on this device, if it is the GPU: a kernel sees it as one binding of one
/// buffer.
pub fn largest_tensor(device: &Device) -> Option<u64> {
    let gpu = GPU.get().filter(|gpu| gpu.device == *device);
    gpu.map(|gpu| gpu.largest_tensor)
}

/// Asks for the fastest adapter, by whatever API the system has, and for all that it can do: burn-wgpu requests
/// the adapter's own features and limits.
async fn request() -> Result<Gpu, WgpuInitError> {
    let adapter = WgpuDevice::default();
    let options = RuntimeOptions {
        tasks_max: KERNELS_IN_A_SUBMISSION,
        // A page for each tensor in a browser, where a buffer cannot be bound in parts; elsewhere parts of pages
        // that grow with the largest tensor.
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
