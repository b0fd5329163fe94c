//! The training text, and held-out text of the same language.

use super::entropy::Floor;
use super::stories;
use super::windows::Windows;
use super::writer::{Mention, Writer};
use crate::choices::Choices;
use crate::random::{Purpose, Random};
use crate::world::population::World;
use crate::world::settings::VillageSettings;

/// Texts to pretrain on. A document is one line.
pub struct Pretraining {
    pub training: Vec<String>,
    pub held_out: Vec<String>,
    /// The loss of the best possible model on each held-out document, in nats.
    pub held_out_nats: Vec<f64>,
    /// The floor of all documents together.
    pub floor: Floor,
    /// Documents that were drawn for training and left out because they have too long a run of words
    /// in common with held-out text.
    pub rejected: usize,
    pub(crate) mentions: Vec<Mention>,
}

impl Pretraining {
    pub(crate) fn new(settings: &VillageSettings, world: &World) -> (Self, Windows) {
        let mut random = Random::new(settings.seed, Purpose::HeldOut);
        let mut held_out = Vec::with_capacity(settings.held_out_documents);
        let mut held_out_nats = Vec::with_capacity(settings.held_out_documents);
        let mut floor = Floor::default();
        let mut windows = Windows::default();
        for _ in 0..settings.held_out_documents {
            let mut writer = Writer::new(Choices::drawn(&mut random));
            stories::document(&mut writer, world);
            let (text, nats) = writer.finish();
            floor.add(&text, nats);
            windows.add(&text);
            held_out.push(text);
            held_out_nats.push(nats);
        }

        let mut random = Random::new(settings.seed, Purpose::Training);
        let mut training = Vec::with_capacity(settings.documents);
        let mut mentions = Vec::new();
        let mut rejected = 0;
        while training.len() < settings.documents {
            let mut writer = Writer::new(Choices::drawn(&mut random));
            stories::document(&mut writer, world);
            let stated = std::mem::take(&mut writer.mentions);
            let (text, _) = writer.finish();
            if windows.occur_in(&text) {
                rejected += 1;
                continue;
            }
            mentions.extend(stated);
            training.push(text);
        }
        (
            Self {
                training,
                held_out,
                held_out_nats,
                floor,
                rejected,
                mentions,
            },
            windows,
        )
    }

    /// The text to train on, a document a line.
    pub fn training_text(&self) -> String {
        lines(&self.training)
    }

    pub fn held_out_text(&self) -> String {
        lines(&self.held_out)
    }
}

fn lines(documents: &[String]) -> String {
    let length = documents.iter().map(|document| document.len() + 1).sum();
    let mut text = String::with_capacity(length);
    for document in documents {
        text.push_str(document);
        text.push('\n');
    }
    text
}
