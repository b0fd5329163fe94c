//! A whole village: the world and everything that is made of it.

use crate::language::entropy::Floor;
use crate::language::pretraining::Pretraining;
use crate::language::vocabulary::Vocabulary;
use crate::random::{Purpose, Random};
use crate::tasks::instructions::{self, Pair, Split};
use crate::tasks::library::Library;
use crate::tasks::preferences::{self, PreferencePair};
use crate::tasks::question::{Completion, Question, QuestionKind};
use crate::tasks::reading;
use crate::world::attribute::Attribute;
use crate::world::population::World;
use crate::world::settings::{Preset, VillageSettings};
use lab_protocol::LabError;
use std::collections::BTreeMap;

/// The world, what is trained and what is judged.
pub struct Village {
    pub settings: VillageSettings,
    pub world: World,
    /// Text to pretrain on, and held-out text.
    pub pretraining: Pretraining,
    /// Judged: beginnings of sentences about everybody who lives here.
    pub completions: Vec<Completion>,
    /// Trained: questions about those who live here, and reading, in random order.
    pub instructions: Vec<Pair>,
    /// Judged: held-out questions about those who live here.
    pub questions: Vec<Question>,
    /// Judged: questions with passages before them, some of which do not hold the answer.
    pub reading: Vec<Question>,
    /// Trained: pairs of answers to trained questions.
    pub preferences: Vec<PreferencePair>,
    /// Judged: pairs of answers to held-out questions.
    pub judged_preferences: Vec<PreferencePair>,
    /// Judged: documents about new people, and questions that they answer.
    pub library: Library,
}

/// How often the text to pretrain on states a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Coverage {
    /// Facts about people and shops.
    pub facts: usize,
    /// Times the fact that is stated least is stated.
    pub least_times: usize,
    /// Wordings in which the fact of fewest wordings is stated.
    pub least_wordings: usize,
    /// Statements of facts in all.
    pub statements: usize,
}

impl Village {
    /// Makes the village of these settings, the same one every time and everywhere.
    pub fn new(settings: VillageSettings) -> Result<Self, LabError> {
        settings.validate()?;
        let world = World::new(&settings);
        let (pretraining, held_out) = Pretraining::new(&settings, &world);
        let split = Split::new(&settings, &world);
        let about_people = instructions::training_pairs(&settings, &split);
        let trained: Vec<Question> = about_people
            .iter()
            .map(|pair| pair.question.clone())
            .collect();
        let questions = instructions::judged_questions(&split);
        let preferences = preferences::training_pairs(&settings, &trained);
        let judged_preferences = preferences::judged_pairs(&settings, &questions);
        let mut instructions = about_people;
        instructions.extend(reading::training_pairs(&settings, &world, &held_out));
        Random::new(settings.seed, Purpose::Order).shuffle(&mut instructions);
        Ok(Self {
            completions: instructions::completions(&world),
            reading: reading::judged_questions(&settings, &world),
            library: Library::new(&settings, &world),
            settings,
            world,
            pretraining,
            instructions,
            questions,
            preferences,
            judged_preferences,
        })
    }

    /// A village of a preset's size.
    pub fn preset(preset: Preset, seed: u64) -> Result<Self, LabError> {
        Self::new(VillageSettings::preset(preset, seed))
    }

    /// Every question that is judged: held-out ones, reading, and those about new people.
    pub fn judged(&self) -> impl Iterator<Item = &Question> {
        self.questions
            .iter()
            .chain(&self.reading)
            .chain(&self.library.questions)
    }

    /// Questions about those who live here that are asked in training: prompts for reinforcement
    /// learning.
    pub fn trained_questions(&self) -> impl Iterator<Item = &Question> {
        self.instructions
            .iter()
            .map(|pair| &pair.question)
            .filter(|question| question.kind == QuestionKind::Trained)
    }

    /// What held-out text costs the best possible model.
    pub fn floor(&self) -> Floor {
        self.pretraining.floor
    }

    /// Everything that a tokenizer has to know, a text each: documents, prompts and answers that are
    /// trained. What is judged has no word beyond them but in names put together anew.
    pub fn tokenizer_texts(&self) -> impl Iterator<Item = String> {
        let documents = self
            .pretraining
            .training
            .iter()
            .map(|document| format!("{document}\n"));
        let pairs = self
            .instructions
            .iter()
            .map(|pair| format!("{}{}\n", pair.question.prompt(), pair.response));
        let preferences = self
            .preferences
            .iter()
            .map(|pair| format!("{}\n{}\n", pair.chosen, pair.rejected));
        documents.chain(pairs).chain(preferences)
    }

    /// The words of all that is trained.
    pub fn vocabulary(&self) -> Vocabulary {
        let texts: Vec<String> = self.tokenizer_texts().collect();
        Vocabulary::of(texts.iter().map(String::as_str))
    }

    /// How often, and in how many ways, the text to pretrain on states each fact.
    pub fn coverage(&self) -> Coverage {
        let mut stated: BTreeMap<_, (usize, Vec<_>)> = BTreeMap::new();
        for mention in &self.pretraining.mentions {
            let (times, wordings) = stated
                .entry((mention.subject.as_str(), mention.attribute))
                .or_default();
            *times += 1;
            if !wordings.contains(&mention.wording) {
                wordings.push(mention.wording);
            }
        }
        let people = self.world.people.len() * Attribute::OF_PEOPLE.len();
        let facts = people + self.world.shops.len() * Attribute::OF_SHOPS.len();
        let all_stated = stated.len() == facts;
        let least = |count: &dyn Fn(&(usize, Vec<_>)) -> usize| {
            stated
                .values()
                .map(count)
                .min()
                .filter(|_| all_stated)
                .unwrap_or(0)
        };
        Coverage {
            facts,
            least_times: least(&|(times, _)| *times),
            least_wordings: least(&|(_, wordings)| wordings.len()),
            statements: self.pretraining.mentions.len(),
        }
    }
}
