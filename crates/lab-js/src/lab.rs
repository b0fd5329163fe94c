//! The class `Lab`, by which JavaScript opens the device, registers extensions and sends commands.

use crate::backend::BACKEND;
use crate::extension::ModuleStrategy;
use crate::host::{WorkerHost, send};
use crate::measures::{ModuleMetric, ModuleReward};
use crate::network::{Requests, WorkerNetwork};
use crate::values::error_to_js;
use futures_channel::mpsc::{UnboundedSender, unbounded};
use lab_protocol::{Command, DeviceInfo, ErrorCode, Event, LabError, text};
use lab_strategies::{FinishedRun, Host, Platform, Registry, VERSION, device, prepare};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// A worker with an open device.
#[wasm_bindgen]
pub struct Lab {
    device: lab_strategies::Device,
    post: js_sys::Function,
    pause: js_sys::Function,
    requests: Requests,
    registry: Registry,
    runs: Runs,
}

/// The receivers of commands to the current runs.
type Runs = Rc<RefCell<HashMap<String, UnboundedSender<Command>>>>;

#[wasm_bindgen]
impl Lab {
    /// Opens the device. `name` and `reason` describe it to the user; `post(event)` sends an event to
    /// the page; `pause()` gives a promise that is kept after messages had their turn; `network` makes
    /// requests.
    pub async fn open(
        name: String,
        reason: String,
        post: js_sys::Function,
        pause: js_sys::Function,
        network: Requests,
    ) -> Result<Lab, JsValue> {
        console_error_panic_hook::set_once();
        let device = device::open(BACKEND).await.map_err(error_to_js)?;
        let info = DeviceInfo {
            backend: BACKEND,
            name,
            reason,
            version: VERSION.to_owned(),
        };
        send(&post, &Event::Ready(info));
        Ok(Lab {
            device,
            post,
            pause,
            requests: network,
            registry: Registry::default(),
            runs: Runs::default(),
        })
    }

    /// Adds a strategy: `create(config)` returns an object with `validate`, `begin` and `answer`, as
    /// `worker/extension.js` makes it for a module's strategy.
    #[wasm_bindgen(js_name = addStrategy)]
    pub fn add_strategy(&mut self, name: &str, create: js_sys::Function) -> Result<(), JsValue> {
        let strategy = move |config: &_| {
            let strategy = ModuleStrategy::new(&create, config)?;
            Ok(Box::new(strategy) as Box<_>)
        };
        self.registry
            .add_strategy(name, strategy)
            .map_err(error_to_js)
    }

    /// Adds a metric: `measure(run)` returns a number, or nothing if it has no meaning. `info` describes it, see
    /// `MetricInfo`; it may be undefined.
    #[wasm_bindgen(js_name = addMetric)]
    pub fn add_metric(
        &mut self,
        name: String,
        measure: js_sys::Function,
        info: JsValue,
    ) -> Result<(), JsValue> {
        let metric = ModuleMetric::new(&name, measure, info).map_err(error_to_js)?;
        self.registry
            .add_metric(Rc::new(metric))
            .map_err(error_to_js)
    }

    /// Supplies the reward of experiments that use a function: `reward(answer)` returns a number.
    #[wasm_bindgen(js_name = setReward)]
    pub fn set_reward(&mut self, reward: js_sys::Function) {
        self.registry.set_reward(Rc::new(ModuleReward(reward)));
    }

    /// Takes a command, a JavaScript object. Its errors come back as a `failed` event.
    pub fn command(&self, message: JsValue) {
        let run = js_sys::Reflect::get(&message, &"run".into())
            .ok()
            .and_then(|run| run.as_string());
        if let Err(error) = self.obey(message) {
            send(&self.post, &Event::Failed { run, error });
        }
    }

    fn obey(&self, message: JsValue) -> Result<(), LabError> {
        let command: Command = serde_wasm_bindgen::from_value(message).map_err(|error| {
            LabError::new(
                ErrorCode::InvalidCommand,
                text!("the command cannot be read: {error}", error),
                "Send a command as the protocol has it.",
            )
        })?;
        match command {
            Command::Start {
                run,
                experiment,
                strategy,
                text,
                base,
                checkpoint,
                key,
            } => {
                self.is_new(&run)?;
                let prepared = prepare(&self.registry, &experiment, &strategy, text, base)?;
                let device = self.device.clone();
                let network = Rc::new(WorkerNetwork {
                    requests: self.requests.clone(),
                    key,
                });
                self.spawn(run, async move |run: String, host| {
                    let platform = Platform {
                        device,
                        host,
                        network,
                    };
                    let result = prepared.execute(run.clone(), platform, checkpoint).await?;
                    Ok(Event::Finished { run, result })
                });
            }
            Command::Ask {
                run,
                experiment,
                strategy,
                base,
                prompt,
            } => {
                self.is_new(&run)?;
                let asked = FinishedRun::new(&self.registry, &experiment, &strategy, base)?;
                let device = self.device.clone();
                self.spawn(run, async move |run: String, host| {
                    let text = asked.ask(&prompt, device, host).await?;
                    Ok(Event::Answer { run, text })
                });
            }
            Command::Write {
                run,
                experiment,
                strategy,
                base,
                request,
            } => {
                self.is_new(&run)?;
                let asked = FinishedRun::new(&self.registry, &experiment, &strategy, base)?;
                let device = self.device.clone();
                self.spawn(run, async move |run: String, host| {
                    let text = asked.write(&request, device, host).await?;
                    let text = Some(text);
                    Ok(Event::Answer { run, text })
                });
            }
            Command::Retrieve {
                run,
                experiment,
                strategy,
                base,
                query,
                passages,
            } => {
                self.is_new(&run)?;
                let asked = FinishedRun::new(&self.registry, &experiment, &strategy, base)?;
                let device = self.device.clone();
                self.spawn(run, async move |run: String, _| {
                    let passages = asked.retrieve(&query, passages, device).await?;
                    Ok(Event::Passages { run, passages })
                });
            }
            Command::Vote {
                run,
                experiment,
                strategy,
                base,
                prompt,
                seed,
            } => {
                self.is_new(&run)?;
                let asked = FinishedRun::new(&self.registry, &experiment, &strategy, base)?;
                let device = self.device.clone();
                self.spawn(run, async move |run: String, _| {
                    let (prompt, answers) = asked.compare(&prompt, seed, device).await?;
                    Ok(Event::Vote {
                        run,
                        prompt,
                        answers,
                    })
                });
            }
            other => {
                let runs = self.runs.borrow();
                let sender = runs.get(other.run()).filter(|sender| !sender.is_closed());
                let sent = sender.is_some_and(|s| s.unbounded_send(other.clone()).is_ok());
                return sent.then_some(()).ok_or_else(|| no_such_run(other.run()));
            }
        }
        Ok(())
    }

    fn is_new(&self, run: &str) -> Result<(), LabError> {
        if !self.runs.borrow().contains_key(run) {
            return Ok(());
        }
        Err(LabError::new(
            ErrorCode::InvalidCommand,
            text!("the run \"{run}\" is already under way", run),
            "Give each run an id of its own.",
        ))
    }

    /// Does `work` in a task of its own, which hears the commands to `run` meanwhile and ends with the event that
    /// `work` returns.
    fn spawn(
        &self,
        run: String,
        work: impl AsyncFnOnce(String, Rc<WorkerHost>) -> Result<Event, LabError> + 'static,
    ) {
        let (sender, receiver) = unbounded();
        self.runs.borrow_mut().insert(run.clone(), sender);
        let host = Rc::new(WorkerHost::new(
            self.post.clone(),
            self.pause.clone(),
            receiver,
        ));
        let runs = self.runs.clone();
        wasm_bindgen_futures::spawn_local(async move {
            let outcome = work(run.clone(), host.clone()).await;
            runs.borrow_mut().remove(&run);
            host.emit(outcome.unwrap_or_else(|error| Event::Failed {
                run: Some(run),
                error,
            }));
        });
    }
}

fn no_such_run(run: &str) -> LabError {
    LabError::new(
        ErrorCode::InvalidCommand,
        text!("there is no run \"{run}\" under way", run),
        "Start one first.",
    )
}
