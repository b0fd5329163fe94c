//! The cases of the native tests of kernels and golden models, in a browser, on the backend of the build;
//! `tests/cases/` runs them.

#[cfg(target_arch = "wasm32")]
#[path = "../../../tests/golden_cases.rs"]
#[allow(dead_code)]
mod golden;
#[cfg(target_arch = "wasm32")]
#[path = "../../lab-model/tests/kernels/cases.rs"]
#[allow(dead_code, unused_imports)]
mod kernels;

#[cfg(target_arch = "wasm32")]
mod web {
    use super::golden::{self, Golden};
    use super::kernels::{self, Bench};
    use lab_model::burn::tensor::Device;
    use wasm_bindgen::prelude::*;

    async fn device() -> Device {
        console_error_panic_hook::set_once();
        let backend = if cfg!(feature = "webgpu") {
            lab_protocol::BackendChoice::Wgpu
        } else {
            lab_protocol::BackendChoice::Cpu
        };
        lab_model::device::open(backend).await.expect("a device")
    }

    /// Compares a golden model, given by its files' contents, with transformers' results; panics, and so throws, if
    /// they differ.
    #[wasm_bindgen]
    pub async fn golden_case(name: String, config: Vec<u8>, weights: Vec<u8>, reference: Vec<u8>) {
        let device = device().await;
        let file = |file: &str| match file {
            "config.json" => config.clone(),
            "model.safetensors" => weights.clone(),
            _ => reference.clone(),
        };
        golden::check(&name, &Golden::read(file, &device)).await;
    }

    /// Runs the kernels' case of this name over its random shapes; panics, and so throws, if a kernel and its plain
    /// form differ.
    #[wasm_bindgen]
    pub async fn kernel_case(name: String) {
        let bench = &mut Bench::new(&device().await, 7);
        match name.as_str() {
            "matmul" => kernels::matmul(bench, 12).await,
            "large_matmul" => kernels::large_matmul(bench).await,
            "linear" => kernels::linear(bench).await,
            "norms" => kernels::norms(bench).await,
            "activations" => kernels::activations(bench).await,
            "softmax" => kernels::softmax(bench).await,
            "attention" => kernels::attention(bench).await,
            "self_attention" => kernels::self_attention(bench).await,
            "attention_dropout" => kernels::attention_dropout(bench).await,
            "cached_attention" => kernels::cached_attention(bench).await,
            "rope" => kernels::rope(bench).await,
            "embedding" => kernels::embedding(bench).await,
            "cross_entropy" => kernels::cross_entropy(bench).await,
            "entropy" => kernels::entropy(bench).await,
            "optimizer" => kernels::optimizer(bench).await,
            "nf4" => kernels::nf4(bench).await,
            other => panic!("no case is called {other}"),
        }
    }
}
