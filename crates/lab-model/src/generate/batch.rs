//! Several texts at once, in tokens.

use super::generation::Generation;
use super::settings::{GeneratedText, GenerationSettings};
use crate::decoder::Decoder;
use lab_protocol::LabError;

/// Writes a continuation of each prompt; the results are in the prompts' order.
///
/// Prompts may differ in length; texts that have ended cost little. Each token takes one read of the device: `[rows,
/// vocabulary]` logits, from which the host draws. Texts longer than the model's window continue, at the cost of a
/// pass over the whole window for each token.
///
/// ```no_run
/// # use lab_model::generate::{GenerationSettings, Sampling, generate_batch};
/// # async fn rollouts(model: &lab_model::decoder::Decoder) -> Result<(), lab_protocol::LabError> {
/// let settings = GenerationSettings {
///     sampling: Sampling::default(),
///     max_tokens: 24,
///     stop_tokens: vec![0],
///     seed: 7,
///     ..Default::default()
/// };
/// for text in generate_batch(model, vec![vec![5, 3], vec![4, 4, 1]], &settings).await? {
///     println!("{:?} {:?}", text.ids, text.finish_reason);
/// }
/// # Ok(())
/// # }
/// ```
pub async fn generate_batch(
    model: &Decoder,
    prompts: Vec<Vec<u32>>,
    settings: &GenerationSettings,
) -> Result<Vec<GeneratedText>, LabError> {
    // Prompts of similar length go together: less of the first pass is padding.
    let mut order: Vec<usize> = (0..prompts.len()).collect();
    order.sort_by_key(|&index| prompts.get(index).map(Vec::len));
    let mut texts = vec![GeneratedText::default(); prompts.len()];
    for group in order.chunks(settings.rows.max(1)) {
        let rows = group
            .iter()
            .filter_map(|&index| Some((index as u64, prompts.get(index)?.clone())))
            .collect();
        let mut generation = Generation::new(model, rows, settings)?;
        while !generation.next().await?.is_empty() {}
        for (&index, text) in group.iter().zip(generation.finish()) {
            if let Some(place) = texts.get_mut(index) {
                *place = text;
            }
        }
    }
    Ok(texts)
}
