//! Pairs of answers to one question, of which people prefer the one of higher true reward. Both tell
//! the truth; they differ in manner.

use super::question::Question;
use super::reward::reward;
use super::style::{Style, StyleMix};
use crate::choices::Choices;
use crate::random::{Purpose, Random};
use crate::world::settings::{VillageSettings, thousandths};
use serde::{Deserialize, Serialize};

/// Two answers and which of them is preferred.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreferencePair {
    pub question: Question,
    pub chosen: String,
    pub rejected: String,
    /// True rewards. If judgement is noisy, the rejected answer may have the higher one.
    pub chosen_reward: f64,
    pub rejected_reward: f64,
}

pub(crate) fn training_pairs(
    settings: &VillageSettings,
    trained: &[Question],
) -> Vec<PreferencePair> {
    let mut random = Random::new(settings.seed, Purpose::Preferences);
    draw(
        &mut random,
        trained,
        settings.preference_pairs,
        thousandths(settings.preference_noise),
    )
}

/// About held-out questions, and without noise.
pub(crate) fn held_out_pairs(
    settings: &VillageSettings,
    held_out: &[Question],
) -> Vec<PreferencePair> {
    let mut random = Random::new(settings.seed, Purpose::HeldOutPreferences);
    draw(&mut random, held_out, settings.judged_preferences, 0)
}

fn draw(
    random: &mut Random,
    questions: &[Question],
    count: usize,
    noise: u32,
) -> Vec<PreferencePair> {
    if questions.is_empty() {
        return Vec::new();
    }
    let mut pairs = Vec::with_capacity(count);
    while pairs.len() < count {
        let question = random.pick(questions).clone();
        let answers = [(); 2].map(|()| {
            let style = Style::draw(&mut Choices::drawn(random), StyleMix::PREFERENCES);
            style.answer(&question)
        });
        let [first, second] = answers.map(|text| (reward(&text).total, text));
        // There is no preference between equal rewards.
        let (better, worse) = match first.0.total_cmp(&second.0) {
            std::cmp::Ordering::Equal => continue,
            std::cmp::Ordering::Greater => (first, second),
            std::cmp::Ordering::Less => (second, first),
        };
        let (chosen, rejected) = if random.chance(noise) {
            (worse, better)
        } else {
            (better, worse)
        };
        pairs.push(PreferencePair {
            question,
            chosen: chosen.1,
            rejected: rejected.1,
            chosen_reward: chosen.0,
            rejected_reward: rejected.0,
        });
    }
    pairs
}
