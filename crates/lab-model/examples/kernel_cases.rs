//! The kernels against their plain forms on a browser's GPU: what `tests/kernels.rs` does natively. CONTRIBUTING.md
//! says how to run it.

#[path = "../tests/kernels/cases.rs"]
#[allow(dead_code, unused_imports)]
mod cases;

#[cfg(all(target_arch = "wasm32", feature = "webgpu"))]
mod web {
    use super::cases::{self, Bench};
    use wasm_bindgen::prelude::*;

    /// Runs the case of this name over its random shapes; panics, and so throws, where a kernel and its
    /// plain form differ.
    #[wasm_bindgen]
    pub async fn run_case(name: String) {
        console_error_panic_hook::set_once();
        lab_model::kernels::prepare();
        let device = burn::tensor::wgpu::WgpuOptions::default()
            .init_async()
            .await
            .expect("the adapter gives a device");
        let bench = &mut Bench::new(&device, 7);
        match name.as_str() {
            "matmul" => cases::matmul(bench, 12).await,
            "large_matmul" => cases::large_matmul(bench).await,
            "linear" => cases::linear(bench).await,
            "norms" => cases::norms(bench).await,
            "activations" => cases::activations(bench).await,
            "softmax" => cases::softmax(bench).await,
            "attention" => cases::attention(bench).await,
            "self_attention" => cases::self_attention(bench).await,
            "cached_attention" => cases::cached_attention(bench).await,
            "rope" => cases::rope(bench).await,
            "embedding" => cases::embedding(bench).await,
            "cross_entropy" => cases::cross_entropy(bench).await,
            "optimizer" => cases::optimizer(bench).await,
            other => panic!("no case is called {other}"),
        }
    }
}
