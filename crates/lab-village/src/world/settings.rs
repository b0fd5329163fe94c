//! Sizes and difficulty of a village, with three presets.

use super::words;
use lab_protocol::{LabError, MAX_SEED, Settings, from_value, text};
use serde::{Deserialize, Serialize};

/// A village of a given size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Small enough that a laptop's CPU learns its language in about a minute.
    #[default]
    Hamlet,
    Village,
    /// Some people share a first name or a surname with many others.
    Town,
}

impl Preset {
    pub const ALL: [Preset; 3] = [Preset::Hamlet, Preset::Village, Preset::Town];

    pub fn name(self) -> &'static str {
        match self {
            Preset::Hamlet => "hamlet",
            Preset::Village => "village",
            Preset::Town => "town",
        }
    }

    /// The preset called `name`.
    pub fn from_name(name: &str) -> Result<Self, LabError> {
        Self::ALL
            .into_iter()
            .find(|preset| preset.name() == name)
            .ok_or_else(|| {
                LabError::config(
                    "preset",
                    text!("no village is called \"{name}\"", name),
                    "Use hamlet, village or town.",
                )
            })
    }
}

/// First names that there are.
const FIRST_NAMES: usize = words::WOMEN.len() + words::MEN.len();

/// The settings that define a village. The same settings give the same bytes everywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(deny_unknown_fields)]
#[settings(check = Self::enough_names)]
pub struct VillageSettings {
    /// The preset of the settings that are left out.
    pub preset: Preset,
    /// Decides every choice.
    #[setting(range = 0..=MAX_SEED)]
    pub seed: u64,
    /// People who live there and are written about.
    #[setting(range = 8..=2_000)]
    pub people: usize,
    /// Shops, each in a street and each selling one thing.
    #[setting(range = 2..=words::SHOPS.len())]
    pub shops: usize,
    /// Different first names. With fewer than people, some share one.
    #[setting(range = 8..=FIRST_NAMES)]
    pub first_names: usize,
    /// Different surnames.
    #[setting(range = 8..=words::SURNAMES.len())]
    pub surnames: usize,
    /// Different streets, pets, trades, foods, colours and goods, of each kind so many.
    #[setting(range = 12..=words::STREETS.len())]
    pub values: usize,
    /// Texts to pretrain on.
    #[setting(range = 100..=500_000)]
    pub documents: usize,
    /// Texts of the same language that are held out.
    #[setting(range = 10..=50_000)]
    pub held_out_documents: usize,
    /// Share of these texts about travellers, whom the model must not remember: they teach it to read.
    ///
    /// More of them are harder to learn.
    #[setting(range = 0.0..=1.0)]
    pub travellers: f64,
    /// Share of the people about whom no question is ever trained.
    #[setting(range = 0.05..=0.6)]
    pub held_out_people: f64,
    /// Share of the facts about the others that are never asked in training.
    #[setting(range = 0.0..=0.6)]
    pub held_out_questions: f64,
    /// Number of answers to each trained question, each in another manner.
    #[setting(range = 1..=100)]
    pub answers_per_question: usize,
    /// Training examples whose answer stands in passages that come with the question.
    #[setting(range = 0..=200_000)]
    pub reading_pairs: usize,
    /// Held-out questions of the same kind.
    #[setting(range = 0..=20_000)]
    pub judged_reading: usize,
    /// Share of the reading examples whose passages do not hold the answer.
    #[setting(range = 0.0..=0.9)]
    pub unknown_share: f64,
    /// The maximum number of passages before a question.
    #[setting(range = 1..=8)]
    pub passages: usize,
    /// Share of the passages beside the right one that are about a person of the same first name or surname: the
    /// higher, the harder.
    #[setting(range = 0.0..=1.0)]
    pub confusable: f64,
    /// Pairs of answers, one better than the other.
    #[setting(range = 0..=200_000)]
    pub preference_pairs: usize,
    /// Pairs of answers to held-out questions.
    #[setting(range = 0..=20_000)]
    pub judged_preferences: usize,
    /// Share of the preference pairs whose order is wrong, as human judgement often is.
    #[setting(range = 0.0..=0.5)]
    pub preference_noise: f64,
    /// People whom no model is trained on and whom only the documents describe.
    #[setting(range = 4..=2_000)]
    pub new_people: usize,
    /// Questions about each of them, one for each fact at most.
    #[setting(range = 1..=7)]
    pub questions_per_new_person: usize,
}

impl VillageSettings {
    /// The settings of a preset.
    pub fn preset(preset: Preset, seed: u64) -> Self {
        let hamlet = Self {
            preset,
            seed,
            people: 24,
            shops: 6,
            first_names: 24,
            surnames: 24,
            values: 16,
            documents: 16_000,
            held_out_documents: 300,
            travellers: 0.1,
            held_out_people: 0.25,
            held_out_questions: 0.15,
            answers_per_question: 4,
            reading_pairs: 6_000,
            judged_reading: 150,
            unknown_share: 0.2,
            passages: 3,
            confusable: 0.25,
            preference_pairs: 600,
            judged_preferences: 150,
            preference_noise: 0.0,
            new_people: 40,
            questions_per_new_person: 5,
        };
        match preset {
            Preset::Hamlet => hamlet,
            Preset::Village => Self {
                people: 96,
                shops: 16,
                first_names: 64,
                surnames: 64,
                values: 24,
                documents: 30_000,
                held_out_documents: 800,
                travellers: 0.2,
                answers_per_question: 2,
                reading_pairs: 12_000,
                judged_reading: 300,
                confusable: 0.4,
                preference_pairs: 2_000,
                judged_preferences: 300,
                new_people: 100,
                questions_per_new_person: 4,
                ..hamlet
            },
            Preset::Town => Self {
                people: 300,
                shops: 32,
                first_names: 120,
                surnames: 120,
                values: 32,
                documents: 80_000,
                held_out_documents: 1_500,
                travellers: 0.2,
                held_out_people: 0.2,
                held_out_questions: 0.1,
                answers_per_question: 1,
                reading_pairs: 20_000,
                judged_reading: 500,
                confusable: 0.5,
                preference_pairs: 5_000,
                judged_preferences: 500,
                preference_noise: 0.05,
                new_people: 250,
                questions_per_new_person: 3,
                ..hamlet
            },
        }
    }

    /// Settings from JSON such as `{"preset": "hamlet", "seed": 7, "people": 30}`: missing settings are the preset's
    /// (`hamlet` and seed 0 if those are missing). Unknown keys are refused.
    pub fn from_json(value: serde_json::Value) -> Result<Self, LabError> {
        let serde_json::Value::Object(given) = value else {
            return from_value(value);
        };
        let preset = match given.get("preset") {
            Some(name) => from_value(name.clone()).map_err(|error: LabError| error.at("preset"))?,
            None => Preset::default(),
        };
        let mut merged = serde_json::to_value(Self::preset(preset, 0))
            .map_err(|error| LabError::internal(error.to_string()))?;
        if let Some(object) = merged.as_object_mut() {
            object.extend(given);
        }
        let settings: Self = from_value(merged)?;
        settings.validate()?;
        Ok(settings)
    }

    /// Everyone has a full name of their own, and held-out people share theirs with nobody.
    fn enough_names(&self) -> Result<(), LabError> {
        let names = self.first_names * self.surnames;
        let needed = 4 * (self.people + self.new_people);
        if names >= needed {
            return Ok(());
        }
        Err(LabError::config(
            "first_names",
            text!(
                "{first_names} first names and {surnames} surnames give {names} full names, too few for {people} people and {new} new ones",
                first_names = self.first_names,
                surnames = self.surnames,
                names,
                people = self.people,
                new = self.new_people,
            ),
            text!(
                "Allow for {needed} full names: more first names or surnames, or fewer people.",
                needed,
            ),
        ))
    }
}

/// A share as whole thousandths, which is how random choices are made.
pub(crate) fn thousandths(share: f64) -> u32 {
    (share * 1000.0 + 0.5) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn presets_are_valid() {
        for preset in Preset::ALL {
            VillageSettings::preset(preset, 1).validate().unwrap();
            assert_eq!(Preset::from_name(preset.name()).unwrap(), preset);
        }
    }

    #[test]
    fn json_changes_what_it_names_and_nothing_else() {
        let settings =
            VillageSettings::from_json(json!({"preset": "village", "seed": 5, "shops": 4}))
                .unwrap();
        let expected = VillageSettings {
            shops: 4,
            ..VillageSettings::preset(Preset::Village, 5)
        };
        assert_eq!(settings, expected);
        assert_eq!(
            VillageSettings::from_json(json!({})).unwrap(),
            VillageSettings::preset(Preset::Hamlet, 0)
        );
    }

    #[test]
    fn bad_settings_are_named() {
        let field = |value| VillageSettings::from_json(value).unwrap_err().field;
        assert_eq!(field(json!({"people": 3})).as_deref(), Some("people"));
        assert_eq!(field(json!({"peoples": 30})).as_deref(), Some("peoples"));
        assert_eq!(field(json!({"preset": "city"})).as_deref(), Some("preset"));
        assert_eq!(field(json!({"seed": -1})).as_deref(), Some("seed"));
        assert_eq!(
            field(json!({"unknown_share": 1.5})).as_deref(),
            Some("unknown_share")
        );
        assert_eq!(
            field(json!({"people": 400})).as_deref(),
            Some("first_names")
        );
        assert!(VillageSettings::from_json(json!([])).is_err());
        let mut settings = VillageSettings::preset(Preset::Hamlet, 0);
        settings.preference_noise = f64::NAN;
        assert_eq!(
            settings.validate().unwrap_err().field.as_deref(),
            Some("preference_noise")
        );
    }
}
