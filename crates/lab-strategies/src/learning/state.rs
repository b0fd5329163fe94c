//! Where a run stands, and the checkpoint from which it continues as if it had never stopped.

use super::Plan;
use crate::run::context::RunContext;
use lab_model::decoder::Decoder;
use lab_model::formats::{CheckpointState, read_checkpoint, write_checkpoint};
use lab_model::optimizer::AdamW;
use lab_model::parameters;
use lab_protocol::{ErrorCode, LabError};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Where a run stands; with the weights and moments it is all that a resume needs, since batches,
/// dropout and samples follow from seed and step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    pub step: usize,
    pub tokens: usize,
    pub best_step: usize,
    pub best_loss: Option<f64>,
    pub evaluations_without_gain: usize,
}

impl Progress {
    /// Notes the loss of an evaluation after the step at hand; whether it is the best yet.
    pub fn is_best(&mut self, loss: f64) -> bool {
        let better = self.best_loss.is_none_or(|best| loss < best);
        if better {
            self.best_loss = Some(loss);
            self.best_step = self.step;
            self.evaluations_without_gain = 0;
        } else {
            self.evaluations_without_gain += 1;
        }
        better
    }
}

/// What a checkpoint remembers beside tensors.
#[derive(Serialize, Deserialize)]
struct State {
    progress: Progress,
    updates: usize,
    config: serde_json::Value,
    seed: u64,
    data_hash: String,
}

/// The weights that are trained, the best of them, and the optimiser's moments, as one file.
pub(super) async fn save(
    model: &Decoder,
    best: &Decoder,
    optimizer: &AdamW,
    progress: Progress,
    plan: &Plan<'_>,
    run: &RunContext,
) -> Result<Vec<u8>, LabError> {
    let (moments, updates) = optimizer.to_host().await?;
    let groups = HashMap::from([
        (
            "model".to_owned(),
            parameters::trainable_to_host(model).await?,
        ),
        (
            "best".to_owned(),
            parameters::trainable_to_host(best).await?,
        ),
        ("optimizer".to_owned(), moments),
    ]);
    let state = State {
        progress,
        updates,
        config: plan.config.clone(),
        seed: run.seed,
        data_hash: run.data.hash.clone(),
    };
    write_checkpoint(CheckpointState { groups, state })
}

/// The weights, the best weights and the progress of a checkpoint; the moments go into `optimizer`.
pub(super) fn restore(
    bytes: &[u8],
    model: Decoder,
    optimizer: &mut AdamW,
    plan: &Plan<'_>,
    run: &RunContext,
) -> Result<(Decoder, Decoder, Progress), LabError> {
    let CheckpointState { mut groups, state } = read_checkpoint::<State>(bytes)?;
    let differs = [
        ("configuration", state.config != plan.config),
        ("seed", state.seed != run.seed),
        ("text", state.data_hash != run.data.hash),
    ];
    if let Some((what, _)) = differs.iter().find(|(_, differs)| *differs) {
        return Err(LabError::new(
            ErrorCode::InvalidCheckpoint,
            format!("the checkpoint was written with another {what}"),
            "Continue with the same experiment, seed and text, or start a new run.",
        )
        .at("checkpoint"));
    }
    let mut group = |name: &str| groups.remove(name).unwrap_or_default();
    let best = parameters::trainable_from_host(model.clone(), &group("best"), &run.device)?;
    let model = parameters::trainable_from_host(model, &group("model"), &run.device)?;
    optimizer.load(group("optimizer"), state.updates, &run.device)?;
    Ok((model, best, state.progress))
}
