//! Training steps on weights and batches from JavaScript, for the benchmark.

use crate::backend::BACKEND;
use crate::values::error_to_js;
use lab_bench::StepBench;
use lab_protocol::{LabError, from_json};
use lab_strategies::device;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
pub struct Bench(StepBench);

#[wasm_bindgen]
impl Bench {
    /// `shape` is a `BenchShape` as JSON; `names` and `arrays` are its weights.
    pub async fn create(
        shape: String,
        names: Vec<String>,
        arrays: Vec<js_sys::Float32Array>,
    ) -> Result<Bench, JsValue> {
        let weights = names
            .into_iter()
            .zip(arrays.iter().map(js_sys::Float32Array::to_vec))
            .collect();
        let open = async {
            let device = device::open(BACKEND).await?;
            StepBench::new(from_json(&shape)?, weights, device)
        };
        open.await
            .map(Bench)
            .map_err(|error: LabError| error_to_js(error))
    }

    /// One step on token ids and the ids that follow them; its loss in nats.
    pub async fn step(&mut self, inputs: Vec<i32>, targets: Vec<i32>) -> Result<f64, JsValue> {
        self.0.step(inputs, targets).await.map_err(error_to_js)
    }
}
