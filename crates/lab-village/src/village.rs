//! A whole village: the world and all data made from it.

use crate::language::entropy::Floor;
use crate::language::pretraining::Pretraining;
use crate::language::vocabulary::Vocabulary;
use crate::random::{Purpose, Random};
use crate::tasks::instructions::{self, Fact, Pair, Split};
use crate::tasks::library::Library;
use crate::tasks::preferences::{self, PreferencePair};
use crate::tasks::question::{Completion, Question, QuestionKind};
use crate::tasks::reading;
use crate::world::attribute::Attribute;
use crate::world::population::World;
use crate::world::settings::{Preset, VillageSettings};
use lab_protocol::LabError;
use std::collections::{BTreeMap, BTreeSet};

/// The world, its training data and its held-out data.
pub struct Village {
    pub settings: VillageSettings,
    pub world: World,
    /// Text to pretrain on, and held-out text.
    pub pretraining: Pretraining,
    /// Test: beginnings of sentences about all residents.
    pub completions: Vec<Completion>,
    /// Training: questions about residents, and reading, in random order.
    pub instructions: Vec<Pair>,
    /// Held-out questions about residents: validation and test, see [`Village::validation_questions`].
    pub questions: Vec<Question>,
    /// Test: questions with passages before them, some of which do not hold the answer.
    pub reading: Vec<Question>,
    /// Training: pairs of answers to the questions of `instructions`.
    pub preferences: Vec<PreferencePair>,
    /// Held-out: pairs of answers to `questions`.
    pub held_out_preferences: Vec<PreferencePair>,
    /// Test: documents about new people, and questions that they answer.
    pub library: Library,
    /// Subject and attribute of the held-out facts that are for validation.
    validation_facts: BTreeSet<(String, Attribute)>,
}

/// One held-out fact in this many is for validation, the others are for the test.
const VALIDATION_SHARE: usize = 3;

/// Counts of the statements of facts in the text to pretrain on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Coverage {
    /// Facts about people and shops.
    pub facts: usize,
    /// The minimum over facts of the number of statements.
    #[serde(rename = "least_times")]
    pub min_times: usize,
    /// The minimum over facts of the number of wordings.
    #[serde(rename = "least_wordings")]
    pub min_wordings: usize,
    /// Number of statements of facts in total.
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
        let questions = instructions::held_out_questions(&split);
        let preferences = preferences::training_pairs(&settings, &trained);
        let held_out_preferences = preferences::held_out_pairs(&settings, &questions);
        let mut instructions = about_people;
        instructions.extend(reading::training_pairs(&settings, &world, &held_out));
        Random::new(settings.seed, Purpose::Order).shuffle(&mut instructions);
        Ok(Self {
            completions: instructions::completions(&world),
            reading: reading::held_out_questions(&settings, &world),
            library: Library::new(&settings, &world),
            validation_facts: split
                .held_out()
                .step_by(VALIDATION_SHARE)
                .map(Fact::key)
                .collect(),
            settings,
            world,
            pretraining,
            instructions,
            questions,
            preferences,
            held_out_preferences,
        })
    }

    /// A village of a preset's size.
    pub fn preset(preset: Preset, seed: u64) -> Result<Self, LabError> {
        Self::new(VillageSettings::preset(preset, seed))
    }

    /// The held-out questions by which a checkpoint is chosen. They are one fact in three, each in all its
    /// wordings, so no fact is also among the [test questions](Self::test_questions).
    pub fn validation_questions(&self) -> impl Iterator<Item = &Question> {
        self.questions
            .iter()
            .filter(|question| self.is_for_validation(question))
    }

    /// The held-out questions that are reported: they choose nothing.
    pub fn test_questions(&self) -> impl Iterator<Item = &Question> {
        self.questions
            .iter()
            .filter(|question| !self.is_for_validation(question))
    }

    /// The held-out preferences about [validation questions](Self::validation_questions).
    pub fn validation_preferences(&self) -> impl Iterator<Item = &PreferencePair> {
        self.held_out_preferences
            .iter()
            .filter(|pair| self.is_for_validation(&pair.question))
    }

    fn is_for_validation(&self, question: &Question) -> bool {
        self.validation_facts
            .contains(&(question.subject.clone(), question.attribute))
    }

    /// All held-out questions: about residents, with passages, and about new people.
    pub fn held_out_questions(&self) -> impl Iterator<Item = &Question> {
        self.questions
            .iter()
            .chain(&self.reading)
            .chain(&self.library.questions)
    }

    /// Questions about residents that are asked in training: prompts for reinforcement learning.
    pub fn trained_questions(&self) -> impl Iterator<Item = &Question> {
        self.instructions
            .iter()
            .map(|pair| &pair.question)
            .filter(|question| question.kind == QuestionKind::Trained)
    }

    /// The loss of the best possible model on held-out text.
    pub fn floor(&self) -> Floor {
        self.pretraining.floor
    }

    /// The texts that a tokenizer is trained on: documents, prompts and answers of the training data.
    /// Held-out data has no other words; only its full names are new combinations.
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

    /// The words of the training data.
    pub fn vocabulary(&self) -> Vocabulary {
        let texts: Vec<String> = self.tokenizer_texts().collect();
        Vocabulary::of(texts.iter().map(String::as_str))
    }

    /// The number and the variety of statements of each fact in the text to pretrain on.
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
        let minimum = |count: &dyn Fn(&(usize, Vec<_>)) -> usize| {
            stated
                .values()
                .map(count)
                .min()
                .filter(|_| all_stated)
                .unwrap_or(0)
        };
        Coverage {
            facts,
            min_times: minimum(&|(times, _)| *times),
            min_wordings: minimum(&|(_, wordings)| wordings.len()),
            statements: self.pretraining.mentions.len(),
        }
    }
}
