//! Opening an experiment: an example, a file, or one from a shared address.

use crate::lab::Lab;
use crate::platform;
use lab_protocol::{BackendChoice, ExperimentConfig, from_json, text_from_bytes};
use leptos::prelude::*;

impl Lab {
    /// Forgets the runs: the form holds another experiment now.
    pub fn forget(&self) {
        let store = self.store;
        store.current.set(None);
        store.chosen.set(None);
        store.topic.set(None);
        store.notice.set(None);
        self.stop_asking();
        store.asked_all.set(None);
        store.vote.set(None);
        self.client().forget();
        self.inner
            .update_value(|inner| inner.experiment = platform::new_id());
    }
}

/// Fills the form with an example.
pub async fn load_example(lab: Lab, name: &str) {
    let path = format!("experiments/{name}.json");
    match platform::fetch(&path).await {
        Ok(bytes) => {
            load_bytes(lab, bytes);
        }
        Err(error) => lab.store.fail_with(error),
    }
}

/// Fills the form with an experiment as JSON. Returns false and shows the error if it cannot be read.
pub fn load_bytes(lab: Lab, bytes: Vec<u8>) -> bool {
    let experiment = text_from_bytes(bytes).and_then(|text| from_json::<ExperimentConfig>(&text));
    let loaded = experiment.and_then(|experiment| {
        let backend = experiment.backend;
        lab.form.load(experiment).map(|()| backend)
    });
    match loaded {
        Ok(backend) => {
            lab.store.input_changed();
            lab.forget();
            if backend != BackendChoice::Auto && backend != lab.store.backend.get_untracked() {
                lab.client().use_backend(backend);
            }
            true
        }
        Err(error) => {
            lab.store.fail_with(error);
            false
        }
    }
}
