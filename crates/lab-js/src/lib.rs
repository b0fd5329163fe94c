//! The worker's side of the protocol: commands in as JavaScript objects, events out. `worker/worker.js`
//! chooses the backend, loads this and passes the messages on.
#![cfg(target_arch = "wasm32")]

mod bench;
mod host;

use futures_channel::mpsc::{UnboundedSender, unbounded};
use host::WorkerHost;
use lab_orchestrator::{VERSION, device, prepare};
use lab_protocol::{BackendChoice, Command, DeviceInfo, ErrorCode, Event, LabError};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// The backend this build is for.
const BACKEND: BackendChoice = if cfg!(feature = "webgpu") {
    BackendChoice::Wgpu
} else {
    BackendChoice::Cpu
};

#[wasm_bindgen]
extern "C" {
    /// Requests and waiting, which are JavaScript's.
    #[derive(Clone)]
    pub type Network;

    /// Posts `body` as JSON; a promise of the exchange. What is thrown is "timeout", or why there is none.
    #[wasm_bindgen(method)]
    fn request(
        this: &Network,
        url: &str,
        key: Option<&str>,
        body: &str,
        timeout: f64,
    ) -> js_sys::Promise;

    /// A promise that is kept after so many milliseconds.
    #[wasm_bindgen(method)]
    fn sleep(this: &Network, milliseconds: f64) -> js_sys::Promise;

    /// A request whose answer has begun to come.
    pub type Exchange;

    #[wasm_bindgen(method, getter)]
    fn status(this: &Exchange) -> u16;

    #[wasm_bindgen(method, getter, js_name = retryAfter)]
    fn retry_after(this: &Exchange) -> Option<String>;

    /// A promise of the body's next piece, of nothing after the last; throws as `request` does.
    #[wasm_bindgen(method)]
    fn next(this: &Exchange) -> js_sys::Promise;

    /// The rest is not wanted.
    #[wasm_bindgen(method)]
    fn cancel(this: &Exchange);
}

/// A worker with an open device.
#[wasm_bindgen]
pub struct Lab {
    device: lab_orchestrator::Device,
    post: js_sys::Function,
    pause: js_sys::Function,
    network: Network,
    runs: Runs,
}

/// Where commands for the runs under way go.
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
        network: Network,
    ) -> Result<Lab, JsValue> {
        console_error_panic_hook::set_once();
        let device = device::open(BACKEND).await.map_err(to_js)?;
        let info = DeviceInfo {
            backend: BACKEND,
            name,
            reason,
            version: VERSION.to_owned(),
        };
        host::send(&post, &Event::Ready(info));
        Ok(Lab {
            device,
            post,
            pause,
            network,
            runs: Runs::default(),
        })
    }

    /// Takes a command, a JavaScript object. What is wrong with it comes back as a `failed` event.
    pub fn command(&self, message: JsValue) {
        let run = js_sys::Reflect::get(&message, &"run".into())
            .ok()
            .and_then(|run| run.as_string());
        if let Err(error) = self.obey(message) {
            host::send(&self.post, &Event::Failed { run, error });
        }
    }

    fn obey(&self, message: JsValue) -> Result<(), LabError> {
        let command: Command = serde_wasm_bindgen::from_value(message).map_err(|error| {
            LabError::new(
                ErrorCode::InvalidCommand,
                format!("the command cannot be read: {error}"),
                "Send a command as the protocol has it.",
            )
        })?;
        let Command::Start {
            run,
            experiment,
            strategy,
            text,
            base,
            checkpoint,
            key,
        } = command
        else {
            let runs = self.runs.borrow();
            let sender = runs.get(command.run()).filter(|sender| !sender.is_closed());
            let sent = sender.is_some_and(|sender| sender.unbounded_send(command.clone()).is_ok());
            return if sent {
                Ok(())
            } else {
                Err(no_such_run(command.run()))
            };
        };
        if self.runs.borrow().contains_key(&run) {
            return Err(LabError::new(
                ErrorCode::InvalidCommand,
                format!("the run \"{run}\" is already under way"),
                "Give each run an id of its own.",
            ));
        }
        let prepared = prepare(&experiment, &strategy, text, base)?;
        let (sender, receiver) = unbounded();
        self.runs.borrow_mut().insert(run.clone(), sender);
        let host = Rc::new(WorkerHost::new(
            self.post.clone(),
            self.pause.clone(),
            receiver,
            self.network.clone(),
            key,
        ));
        let (device, runs) = (self.device.clone(), self.runs.clone());
        wasm_bindgen_futures::spawn_local(async move {
            use lab_orchestrator::Host;
            let outcome = prepared
                .execute(run.clone(), device, host.clone(), checkpoint)
                .await;
            runs.borrow_mut().remove(&run);
            host.emit(match outcome {
                Ok(result) => Event::Finished { run, result },
                Err(error) => Event::Failed {
                    run: Some(run),
                    error,
                },
            });
        });
        Ok(())
    }
}

fn no_such_run(run: &str) -> LabError {
    LabError::new(
        ErrorCode::InvalidCommand,
        format!("there is no run \"{run}\" under way"),
        "Start one first.",
    )
}

fn to_js(error: LabError) -> JsValue {
    serde_wasm_bindgen::to_value(&error).unwrap_or_else(|_| JsValue::from_str(&error.to_string()))
}
