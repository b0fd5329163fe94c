//! Metrics and rewards of JavaScript, as `worker/extension.js` hands them on.

use crate::values::{thrown, to_js};
use lab_protocol::{ErrorCode, LabError, MetricInfo, RunResult, text};
use lab_strategies::{Answer, Finished, HeldOutAnswer, Metric, RewardFunction};
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// A metric of JavaScript.
pub struct ModuleMetric {
    info: MetricInfo,
    /// Returns a number, or nothing if the metric has no meaning.
    measure: js_sys::Function,
}

impl ModuleMetric {
    /// `info` is a [`MetricInfo`] or undefined; its name is `name`.
    pub fn new(name: &str, measure: js_sys::Function, info: JsValue) -> Result<Self, LabError> {
        let given = match info.is_undefined() || info.is_null() {
            true => MetricInfo::default(),
            false => serde_wasm_bindgen::from_value(info).map_err(|error| {
                LabError::config(
                    "info",
                    text!(
                        "the declaration of the metric {name} cannot be read: {error}",
                        name,
                        error,
                    ),
                    "Give direction (more, less or neither), label, unit and help, or some of them.",
                )
            })?,
        };
        let name = name.to_owned().into();
        let info = MetricInfo { name, ..given };
        Ok(Self { info, measure })
    }
}

#[derive(Serialize)]
struct Measured<'a> {
    result: &'a RunResult,
    text: &'a str,
    answers: Vec<&'a HeldOutAnswer>,
}

impl Metric for ModuleMetric {
    fn name(&self) -> &str {
        &self.info.name
    }

    fn info(&self) -> MetricInfo {
        self.info.clone()
    }

    fn measure(&self, run: &Finished) -> Result<Option<f64>, LabError> {
        let run = to_js(&Measured {
            result: run.result,
            text: &run.data.text,
            answers: run.answers.iter().collect(),
        })?;
        let value = self.measure.call1(&JsValue::NULL, &run).map_err(thrown)?;
        if value.is_undefined() || value.is_null() {
            return Ok(None);
        }
        let number = value.as_f64();
        number.map(Some).ok_or_else(|| {
            LabError::new(
                ErrorCode::InvalidData,
                text!("{value} is not a number", value = format!("{value:?}")),
                "Let the metric return a number, or nothing.",
            )
        })
    }
}

/// The reward of answers, a function of JavaScript.
pub struct ModuleReward(pub js_sys::Function);

impl RewardFunction for ModuleReward {
    fn reward(&self, answer: &Answer) -> f64 {
        #[derive(Serialize)]
        struct Judged<'a> {
            prompt: &'a str,
            response: &'a str,
            tokens: usize,
        }
        let judged = to_js(&Judged {
            prompt: &answer.prompt,
            response: &answer.response,
            tokens: answer.tokens,
        });
        // A value that is not a number ends the run with an error that names the answer.
        let reward = judged.map(|judged| self.0.call1(&JsValue::NULL, &judged));
        match reward {
            Ok(Ok(value)) => value.as_f64().unwrap_or(f64::NAN),
            _ => f64::NAN,
        }
    }
}
