//! Vectors of passages of the built-in text, for `cargo xtask bench retrieval`:
//! `sentence_vectors ENCODER_DIR OUT NUMBER`. Writes little-endian floats, one vector after the other, in an
//! order that a seed decides. Passages are the sentences of Moby-Dick, and runs of sixteen words that begin
//! every sixth word.

use lab_model::encoder::SentenceEncoder;
use lab_model::formats::ModelFiles;
use lab_protocol::{BackendChoice, ChunkConfig, ChunkMethod, LabError, RagDocument};
use lab_retrieval::{chunk, count_words};
use lab_strategies::device;
use std::borrow::Cow;
use std::error::Error;
use std::path::PathBuf;

struct Folder(PathBuf);

impl ModelFiles for Folder {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn read(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, LabError> {
        Ok(std::fs::read(self.0.join(name)).ok().map(Cow::Owned))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, out, number] = &arguments[..] else {
        return Err("usage: sentence_vectors ENCODER_DIR OUT NUMBER".into());
    };
    let number: usize = number.parse()?;
    let texts = passages(number)?;
    let device = pollster::block_on(device::open(BackendChoice::Cpu))?;
    let encoder = SentenceEncoder::read(&Folder(folder.into()), &device)?;
    let mut bytes: Vec<u8> = Vec::with_capacity(texts.len() * 4 * encoder.dimensions());
    for (index, batch) in texts.chunks(256).enumerate() {
        let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
        let vectors = pollster::block_on(encoder.embed(&batch))?;
        bytes.extend(
            vectors
                .iter()
                .flatten()
                .flat_map(|value| value.to_le_bytes()),
        );
        if index % 8 == 0 {
            eprintln!("{} of {} passages", index * 256 + batch.len(), texts.len());
        }
    }
    // Whole or not at all.
    let part = format!("{out}.part");
    std::fs::write(&part, bytes)?;
    std::fs::rename(&part, out)?;
    Ok(())
}

fn passages(number: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let text = lab_village::text("moby-dick")?.to_owned();
    let document = RagDocument {
        id: "moby-dick".into(),
        content: text,
        ..RagDocument::default()
    };
    let mut texts = Vec::new();
    for config in [
        ChunkConfig {
            method: ChunkMethod::Sentences,
            size: 32,
            overlap: 0,
        },
        ChunkConfig {
            method: ChunkMethod::Tokens,
            size: 16,
            overlap: 10,
        },
    ] {
        let chunks = chunk(&document, &config, &count_words)?;
        texts.extend(
            chunks
                .into_iter()
                .map(|chunk| chunk.text)
                .filter(|text| text.len() >= 24),
        );
    }
    // Fisher and Yates, by a congruential generator: which passages are taken must only be mixed.
    let mut state = 7u64;
    for last in (1..texts.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        texts.swap(last, (state >> 33) as usize % (last + 1));
    }
    if texts.len() < number {
        return Err(format!("the text has {} passages only", texts.len()).into());
    }
    texts.truncate(number);
    Ok(texts)
}
