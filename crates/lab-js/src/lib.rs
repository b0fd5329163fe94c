//! The worker's side of the protocol: commands in as JavaScript objects, events out. `worker/worker.js`
//! chooses the backend, loads this and passes the messages on.
#![cfg(target_arch = "wasm32")]

mod backend;
#[cfg(feature = "bench")]
mod bench;
mod extension;
mod host;
mod lab;
mod measures;
mod network;
mod values;

pub use lab::Lab;
