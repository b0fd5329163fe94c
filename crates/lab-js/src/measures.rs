//! Metrics and rewards of JavaScript, as `worker/extension.js` hands them on.

use crate::values::{thrown, to_js};
use async_trait::async_trait;
use js_sys::Promise;
use lab_protocol::{ErrorCode, LabError, MetricInfo, RunResult, text};
use lab_strategies::{Answer, Finished, HeldOutAnswer, Metric, RewardFunction};
use serde::Serialize;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

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

#[async_trait(?Send)]
impl Metric for ModuleMetric {
    fn name(&self) -> &str {
        &self.info.name
    }

    fn info(&self) -> MetricInfo {
        self.info.clone()
    }

    async fn measure(&self, run: &Finished) -> Result<Option<f64>, LabError> {
        let run = to_js(&Measured {
            result: run.result,
            text: &run.data.text,
            answers: run.answers.iter().collect(),
        })?;
        let value = self.measure.call1(&JsValue::NULL, &run).map_err(thrown)?;
        let value = settled(value).await.map_err(thrown)?;
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

#[async_trait(?Send)]
impl RewardFunction for ModuleReward {
    async fn reward(&self, answer: &Answer) -> f64 {
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
        let Ok(judged) = judged else {
            return f64::NAN;
        };
        let reward = match self.0.call1(&JsValue::NULL, &judged) {
            Ok(reward) => settled(reward).await.ok(),
            Err(_) => None,
        };
        reward
            .and_then(|reward| reward.as_f64())
            .unwrap_or(f64::NAN)
    }
}

/// A value of JavaScript, or that of its promise.
async fn settled(value: JsValue) -> Result<JsValue, JsValue> {
    match value.is_instance_of::<Promise>() {
        true => JsFuture::from(Promise::from(value)).await,
        false => Ok(value),
    }
}
