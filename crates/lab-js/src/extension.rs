//! Strategies of JavaScript, as `worker/extension.js` hands them on.

use crate::values::{from_js, thrown, to_js};
use async_trait::async_trait;
use lab_protocol::{
    ErrorCode, GenerateRequest, LabError, ModelFile, RunInfo, StopReason, StrategyConfig, text,
};
use lab_strategies::{
    Answers, Learned, Learner, Prompt, RunContext, RunFiles, Sample, Snapshot, Step, StopSignal,
    Strategy, TrainingData,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// A strategy, see `worker/extension.js`.
    #[derive(Clone)]
    pub type Module;
    /// Checks the data; throws their errors.
    #[wasm_bindgen(method, catch)]
    fn validate(this: &Module, data: JsValue) -> Result<(), JsValue>;
    /// Gives the learner of a run.
    #[wasm_bindgen(method, catch)]
    async fn begin(this: &Module, about: JsValue) -> Result<JsValue, JsValue>;
    /// Answers prompts from the files of a run; undefined if it cannot.
    #[wasm_bindgen(method, catch)]
    async fn answer(this: &Module, files: JsValue, prompts: JsValue) -> Result<JsValue, JsValue>;

    /// A learner, see `worker/extension.js`.
    type Learning;
    #[wasm_bindgen(method, getter)]
    fn info(this: &Learning) -> JsValue;
    #[wasm_bindgen(method, getter, js_name = checkpointInterval)]
    fn checkpoint_interval(this: &Learning) -> f64;
    /// Gives a [`Made`].
    #[wasm_bindgen(method, catch)]
    async fn step(this: &Learning, step: f64) -> Result<JsValue, JsValue>;
    /// Gives a [`Reported`].
    #[wasm_bindgen(method, catch)]
    async fn report(this: &Learning, step: f64) -> Result<JsValue, JsValue>;
    /// Gives the state as a `Uint8Array`.
    #[wasm_bindgen(method, catch)]
    async fn save(this: &Learning) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    async fn restore(this: &Learning, state: js_sys::Uint8Array) -> Result<JsValue, JsValue>;
    /// Gives a text.
    #[wasm_bindgen(method, catch)]
    async fn generate(this: &Learning, request: JsValue) -> Result<JsValue, JsValue>;
    /// Gives a [`Made`].
    #[wasm_bindgen(method, catch)]
    async fn finish(this: &Learning, reason: JsValue) -> Result<JsValue, JsValue>;
}

/// A strategy of JavaScript.
pub struct ModuleStrategy {
    kind: String,
    module: Module,
}

/// A description of the run, for its strategy.
#[derive(Serialize)]
struct About<'a> {
    run: &'a str,
    strategy: &'a str,
    seed: f64,
    #[serde(flatten)]
    data: Data<'a>,
    base: &'a [ModelFile],
}

/// The data, without the held-out part of a village.
#[derive(Serialize)]
struct Data<'a> {
    text: &'a str,
    validation_fraction: f64,
    village: Option<VillageData>,
}

#[derive(Serialize)]
struct VillageData {
    text: String,
    /// Prompt and response.
    pairs: Vec<(String, String)>,
    /// Id and text.
    documents: Vec<(String, String)>,
}

/// The outcome of a step, or of the whole run.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Made {
    tokens: usize,
    metrics: BTreeMap<String, f64>,
    files: Vec<ModelFile>,
}

/// The report after a step.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Reported {
    metrics: BTreeMap<String, f64>,
    samples: Vec<Written>,
    warnings: Vec<String>,
    /// Further training is useless.
    stop: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    prompt: String,
    text: String,
}

impl<'a> Data<'a> {
    fn new(data: &'a TrainingData) -> Self {
        let village = data.village.as_ref().map(|village| {
            let pairs = village.instructions.iter();
            let documents = village.library.documents.iter();
            VillageData {
                text: village.pretraining.training_text(),
                pairs: pairs
                    .map(|pair| (pair.question.prompt(), pair.response.clone()))
                    .collect(),
                documents: documents
                    .map(|document| (document.id.clone(), document.text.clone()))
                    .collect(),
            }
        });
        Self {
            text: &data.text,
            validation_fraction: data.validation_fraction,
            village,
        }
    }
}

impl ModuleStrategy {
    /// The strategy that `create(config)` makes.
    pub fn new(create: &js_sys::Function, config: &StrategyConfig) -> Result<Self, LabError> {
        let settings = to_js(&config.config)?;
        let module = create
            .call1(&JsValue::NULL, &settings)
            .map_err(|error| thrown(error).at("config"))?;
        Ok(Self {
            kind: config.strategy.clone(),
            module: module.unchecked_into(),
        })
    }
}

#[async_trait(?Send)]
impl Strategy for ModuleStrategy {
    fn kind(&self) -> &str {
        &self.kind
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        let data = to_js(&Data::new(data))?;
        self.module.validate(data).map_err(thrown)
    }

    async fn begin(&self, run: &RunContext) -> Result<Box<dyn Learner>, LabError> {
        let about = to_js(&About {
            run: &run.run,
            strategy: &run.strategy,
            seed: run.seed as f64,
            data: Data::new(&run.data),
            base: &run.base,
        })?;
        let stop = run.stop.clone();
        let stop_requested = StopRequested::new(move || {
            let stop = stop.clone();
            let requested = async move { Ok(stop.requested().await.into()) };
            wasm_bindgen_futures::future_to_promise(requested)
        });
        js_sys::Reflect::set(&about, &"stopRequested".into(), stop_requested.as_ref())
            .map_err(thrown)?;
        let begun = self.module.begin(about).await.map_err(thrown)?;
        let learning: Learning = begun.unchecked_into();
        Ok(Box::new(ModuleLearner {
            info: from_js(learning.info(), |error| {
                text!("the description of the run cannot be read: {error}", error)
            })?,
            checkpoint_interval: learning.checkpoint_interval() as usize,
            learning,
            _stop_requested: stop_requested,
        }))
    }

    /// The model answers if there is one.
    async fn open(&self, files: &RunFiles<'_>) -> Result<Option<Box<dyn Answers>>, LabError> {
        if files.model().await?.is_some() {
            return Ok(None);
        }
        Ok(Some(Box::new(ModuleAnswers {
            module: self.module.clone(),
            files: to_js(files.all())?,
        })))
    }
}

/// Returns a promise of whether the run was told to stop.
type StopRequested = Closure<dyn FnMut() -> js_sys::Promise>;

/// The name of the state in a snapshot.
const STATE: &str = "state";

/// A learner of JavaScript.
struct ModuleLearner {
    learning: Learning,
    info: RunInfo,
    /// Steps between checkpoints; 0 means none.
    checkpoint_interval: usize,
    /// Lives as long as JavaScript may call it.
    _stop_requested: StopRequested,
}

#[async_trait(?Send)]
impl Learner for ModuleLearner {
    fn info(&self) -> RunInfo {
        self.info.clone()
    }

    async fn step(&mut self, step: usize, _run: &RunContext) -> Result<Step, LabError> {
        let made = self.learning.step(step as f64).await.map_err(thrown)?;
        let made: Option<Made> = from_js(made, |error| {
            text!("the result of step() cannot be read: {error}", error)
        })?;
        let made = made.unwrap_or_default();
        Ok(Step::new(made.tokens, made.metrics))
    }

    async fn report(&mut self, step: usize, run: &RunContext) -> Result<ControlFlow<()>, LabError> {
        let reported = self.learning.report(step as f64).await.map_err(thrown)?;
        let reported: Option<Reported> = from_js(reported, |error| {
            text!("the result of report() cannot be read: {error}", error)
        })?;
        let reported = reported.unwrap_or_default();
        run.record(step, reported.metrics);
        for Written { prompt, text } in reported.samples {
            run.sample(step, Sample::new(prompt, text));
        }
        for warning in reported.warnings {
            run.warn(warning);
        }
        Ok(match reported.stop {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }

    fn checkpoint_due(&self, step: usize) -> bool {
        let interval = self.checkpoint_interval;
        interval > 0 && step.is_multiple_of(interval) && step < self.info.steps
    }

    async fn save(&self) -> Result<Snapshot, LabError> {
        let state = self.learning.save().await.map_err(thrown)?;
        let state: js_sys::Uint8Array = state
            .dyn_into()
            .map_err(|_| must_return("save() did not return a Uint8Array"))?;
        let mut snapshot = Snapshot::default();
        snapshot.files.insert(STATE.to_owned(), state.to_vec());
        Ok(snapshot)
    }

    async fn restore(&mut self, mut snapshot: Snapshot, _run: &RunContext) -> Result<(), LabError> {
        let state = snapshot.take_file(STATE)?;
        let state = js_sys::Uint8Array::from(&state[..]);
        self.learning.restore(state).await.map_err(thrown)?;
        Ok(())
    }

    async fn generate(
        &self,
        request: &GenerateRequest,
        _run: &RunContext,
    ) -> Result<Option<Sample>, LabError> {
        let written = self.learning.generate(to_js(request)?);
        let text = written.await.map_err(thrown)?.as_string();
        let text = text.ok_or_else(|| must_return("generate() did not return a text"))?;
        Ok(Some(Sample::new(&request.prompt, text)))
    }

    async fn finish(&mut self, reason: StopReason, _run: &RunContext) -> Result<Learned, LabError> {
        let made = self.learning.finish(to_js(&reason)?).await;
        let made: Option<Made> = from_js(made.map_err(thrown)?, |error| {
            text!("the result of finish() cannot be read: {error}", error)
        })?;
        let Made { metrics, files, .. } = made.unwrap_or_default();
        Ok(Learned {
            best_step: None,
            metrics,
            files,
        })
    }
}

/// The answers of a strategy in JavaScript, from the files of a run.
struct ModuleAnswers {
    module: Module,
    files: JsValue,
}

#[async_trait(?Send)]
impl Answers for ModuleAnswers {
    async fn answer(
        &self,
        prompts: &[Prompt],
        _stop: &StopSignal,
    ) -> Result<Option<Vec<String>>, LabError> {
        let texts: Vec<String> = prompts.iter().map(Prompt::text).collect();
        let answers = self.module.answer(self.files.clone(), to_js(&texts)?);
        let answers = answers.await.map_err(thrown)?;
        if answers.is_undefined() {
            return Ok(None);
        }
        let answers: Vec<String> = from_js(answers, |error| {
            text!("the strategy's answers cannot be read: {error}", error)
        })?;
        if answers.len() == prompts.len() {
            return Ok(Some(answers));
        }
        Err(LabError::new(
            ErrorCode::InvalidData,
            text!(
                "{answers} answers to {prompts} prompts",
                answers = answers.len(),
                prompts = prompts.len()
            ),
            "Let the strategy's answer() return one text for each prompt.",
        ))
    }
}

fn must_return(message: &str) -> LabError {
    LabError::new(
        ErrorCode::InvalidData,
        message,
        "Correct the module that registered the strategy.",
    )
}
