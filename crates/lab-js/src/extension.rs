//! Strategies, metrics and rewards of JavaScript, as `worker/extension.js` hands them on.

use async_trait::async_trait;
use futures_channel::mpsc::{UnboundedReceiver, unbounded};
use lab_protocol::{
    ErrorCode, GenerateRequest, LabError, MetricInfo, ModelFile, RunInfo, RunResult, StopReason,
    StrategyConfig, text,
};
use lab_strategies::{
    Answer, Control, Finished, Metric, RewardFunction, RunContext, Strategy, TrainingData,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// See `worker/extension.js`.
    pub type Module;
    /// Checks the data; throws what is wrong with them.
    #[wasm_bindgen(method, catch)]
    fn validate(this: &Module, data: JsValue) -> Result<(), JsValue>;
    /// Trains. `send(request, reply)` asks something of the run, see [`Request`].
    #[wasm_bindgen(method, catch)]
    async fn train(
        this: &Module,
        about: JsValue,
        send: &Closure<dyn FnMut(JsValue, js_sys::Function)>,
    ) -> Result<JsValue, JsValue>;
    /// Answers prompts from what `train` left; undefined if it cannot.
    #[wasm_bindgen(method, catch)]
    async fn answer(this: &Module, files: JsValue, prompts: JsValue) -> Result<JsValue, JsValue>;
}

/// A strategy of JavaScript.
pub struct ModuleStrategy {
    name: String,
    module: Module,
}

/// What a strategy may ask of its run while it trains.
#[derive(Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    Started {
        info: RunInfo,
    },
    Metrics {
        step: usize,
        values: BTreeMap<String, f64>,
    },
    Sample {
        step: usize,
        prompt: String,
        text: String,
    },
    Checkpoint {
        step: usize,
        #[serde(with = "serde_bytes")]
        state: Vec<u8>,
    },
    Warn {
        message: String,
    },
    StepBegins {},
    StepDone {
        step: usize,
        steps: usize,
        tokens: usize,
    },
    StepMade {
        step: usize,
    },
    /// What to do before the next step.
    Control {
        step: usize,
    },
}

/// The reply to [`Request::Control`].
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Wish {
    Continue,
    Stop,
    Checkpoint,
    Generate(GenerateRequest),
}

/// What a strategy is told about its run.
#[derive(Serialize)]
struct About<'a> {
    run: &'a str,
    strategy: &'a str,
    seed: f64,
    #[serde(flatten)]
    data: Data<'a>,
    base: &'a [ModelFile],
    #[serde(with = "serde_bytes")]
    checkpoint: Option<Vec<u8>>,
}

/// The data, without what is held out of a village.
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

/// What a strategy returns.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Returned {
    #[serde(default)]
    metrics: BTreeMap<String, f64>,
    #[serde(default)]
    files: Vec<ModelFile>,
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
            name: config.strategy.clone(),
            module: module.unchecked_into(),
        })
    }
}

#[async_trait(?Send)]
impl Strategy for ModuleStrategy {
    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        let data = to_js(&Data::new(data))?;
        self.module.validate(data).map_err(thrown)
    }

    async fn train(&mut self, run: &mut RunContext) -> Result<RunResult, LabError> {
        let (sender, mut requests) = unbounded();
        let send = Closure::new(move |request, reply| {
            // The run may have ended meanwhile; then nobody wants to know.
            let _ = sender.unbounded_send((request, reply));
        });
        let about = to_js(&About {
            run: &run.run,
            strategy: &run.strategy,
            seed: run.seed as f64,
            data: Data::new(&run.data),
            base: &run.base,
            checkpoint: run.checkpoint.take(),
        })?;
        let mut state = State::default();
        let returned = {
            let mut training = pin!(self.module.train(about, &send));
            loop {
                match next(training.as_mut(), &mut requests).await {
                    Next::Request(request, reply) => state.obey(run, request, &reply).await?,
                    Next::Done(returned) => break returned.map_err(thrown)?,
                }
            }
        };
        let returned: Returned = from_js(returned, "what the strategy returned")?;
        let stop_reason = match state.stopped {
            true => StopReason::Stopped,
            false => StopReason::Completed,
        };
        Ok(RunResult {
            declared: Vec::new(),
            strategy: run.strategy.clone(),
            stop_reason,
            steps: state.steps,
            best_step: state.steps,
            seconds: run.seconds(),
            metrics: returned.metrics,
            files: returned.files,
        })
    }

    async fn answer_from(
        &self,
        files: &[ModelFile],
        prompts: &[String],
        _run: &mut RunContext,
    ) -> Result<Option<Vec<String>>, LabError> {
        let answers = self.module.answer(to_js(&files)?, to_js(&prompts)?);
        let answers = answers.await.map_err(thrown)?;
        if answers.is_undefined() {
            return Ok(None);
        }
        let answers: Vec<String> = from_js(answers, "the strategy's answers")?;
        if answers.len() == prompts.len() {
            return Ok(Some(answers));
        }
        Err(LabError::new(
            ErrorCode::InvalidData,
            format!("{} answers to {} prompts", answers.len(), prompts.len()),
            "Let the strategy's answer() return one text for each prompt.",
        ))
    }
}

/// What is known of a run from its requests.
#[derive(Default)]
struct State {
    steps: usize,
    stopped: bool,
}

impl State {
    async fn obey(
        &mut self,
        run: &mut RunContext,
        request: JsValue,
        reply: &js_sys::Function,
    ) -> Result<(), LabError> {
        let mut answer = JsValue::UNDEFINED;
        match from_js(request, "the strategy's request")? {
            Request::Started { info } => run.started(info),
            Request::Metrics { step, values } => {
                let values: Vec<(&str, f64)> = values.iter().map(|(n, v)| (&n[..], *v)).collect();
                run.record_metrics(step, &values);
            }
            Request::Sample { step, prompt, text } => run.sample(step, prompt, text),
            Request::Checkpoint { step, state } => run.checkpoint(step, state),
            Request::Warn { message } => run.warn(message),
            Request::StepBegins {} => run.step_begins(),
            Request::StepDone {
                step,
                steps,
                tokens,
            } => {
                self.steps = step;
                answer = run.step_done(step, steps, tokens).into();
            }
            Request::StepMade { step } => run.step_made(step),
            Request::Control { step } => {
                let wish = match run.control(step).await {
                    Control::Continue => Wish::Continue,
                    Control::Stop => Wish::Stop,
                    Control::Checkpoint => Wish::Checkpoint,
                    Control::Generate(request) => Wish::Generate(request),
                };
                self.stopped = matches!(wish, Wish::Stop);
                answer = to_js(&wish)?;
            }
        }
        reply.call1(&JsValue::NULL, &answer).map_err(thrown)?;
        Ok(())
    }
}

enum Next {
    Request(JsValue, js_sys::Function),
    Done(Result<JsValue, JsValue>),
}

/// The next request, or the end of the training when there is none left.
async fn next(
    mut training: std::pin::Pin<&mut impl Future<Output = Result<JsValue, JsValue>>>,
    requests: &mut UnboundedReceiver<(JsValue, js_sys::Function)>,
) -> Next {
    let mut request = pin!(requests.recv());
    poll_fn(|context| {
        if let Poll::Ready(Ok((request, reply))) = request.as_mut().poll(context) {
            return Poll::Ready(Next::Request(request, reply));
        }
        training.as_mut().poll(context).map(Next::Done)
    })
    .await
}

/// A metric of JavaScript.
pub struct ModuleMetric {
    info: MetricInfo,
    /// Gives a number, or nothing where the metric has no meaning.
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
                        name = name,
                        error = error,
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
    answers: Vec<&'a lab_strategies::HeldOutAnswer>,
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
                format!("{value:?} is no number"),
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
        // What is no number ends the run with an error that names the answer.
        let reward = judged.map(|judged| self.0.call1(&JsValue::NULL, &judged));
        match reward {
            Ok(Ok(value)) => value.as_f64().unwrap_or(f64::NAN),
            _ => f64::NAN,
        }
    }
}

/// Maps as objects, bytes as `Uint8Array`.
fn to_js<T: Serialize + ?Sized>(value: &T) -> Result<JsValue, LabError> {
    let serializer =
        serde_wasm_bindgen::Serializer::json_compatible().serialize_bytes_as_arrays(false);
    let written = value.serialize(&serializer);
    written.map_err(|error| LabError::internal(error.to_string()))
}

fn from_js<T: serde::de::DeserializeOwned>(value: JsValue, what: &str) -> Result<T, LabError> {
    serde_wasm_bindgen::from_value(value).map_err(|error| {
        LabError::new(
            ErrorCode::InvalidData,
            format!("{what} cannot be read: {error}"),
            "Correct the module that registered it.",
        )
    })
}

/// What JavaScript threw: an error of the lab's shape as it is, anything else with its words.
fn thrown(error: JsValue) -> LabError {
    if let Ok(error) = serde_wasm_bindgen::from_value::<LabError>(error.clone()) {
        return error;
    }
    let words = match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => error.as_string().unwrap_or_else(|| format!("{error:?}")),
    };
    LabError::new(
        ErrorCode::InvalidConfig,
        words,
        "This comes from the module that was loaded into the lab.",
    )
}
