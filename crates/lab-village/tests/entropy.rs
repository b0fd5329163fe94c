//! Tests of the floor: it follows from the texts alone, agrees with other texts of the language, and is below the
//! loss of any simpler model of the language.

use lab_village::{Preset, Village, VillageSettings, exact_nats, score_loss, tokens};
use std::collections::HashMap;

fn hamlet(seed: u64) -> Village {
    Village::preset(Preset::Hamlet, seed).unwrap()
}

#[test]
fn the_probability_of_a_text_is_found_again_from_the_text() {
    // All ways in which the grammar can write a text are summed: the decisions that did write it are
    // the only ones, or the recorded cost would be above the exact one.
    for preset in Preset::ALL {
        let settings = VillageSettings {
            documents: 100,
            reading_pairs: 100,
            ..VillageSettings::preset(preset, 3)
        };
        let village = Village::new(settings).unwrap();
        let count = if preset == Preset::Hamlet { 200 } else { 30 };
        let texts = village
            .pretraining
            .held_out
            .iter()
            .zip(&village.pretraining.held_out_nats);
        for (text, nats) in texts.take(count) {
            let exact = exact_nats(&village.world, text).unwrap();
            assert!(
                (exact - nats).abs() < 1e-9,
                "{exact} instead of {nats}: {text}"
            );
        }
    }
}

#[test]
fn what_the_village_would_not_say_has_no_probability() {
    let village = hamlet(4);
    let text = &village.pretraining.held_out[0];
    let half = &text[..text.len() / 2];
    for other in [
        "",
        "Nobody lives here.",
        half,
        &format!("{text} And so on."),
        &text.to_lowercase(),
    ] {
        assert_eq!(exact_nats(&village.world, other), None, "{other}");
    }
    // A person's home, changed.
    let person = &village.world.people[0];
    let statement = |home: &str| format!("{} lives in {home} and", person.name);
    let home = person.value(lab_village::Attribute::Home);
    let told = village
        .pretraining
        .training
        .iter()
        .find(|text| text.starts_with(&statement(home)))
        .unwrap();
    let wrong = if home == "Mill Road" {
        "Pine Road"
    } else {
        "Mill Road"
    };
    assert!(exact_nats(&village.world, told).is_some());
    assert_eq!(exact_nats(&village.world, &told.replace(home, wrong)), None);
}

#[test]
fn training_text_costs_as_much_as_held_out_text() {
    let village = hamlet(5);
    let floor = village.floor();
    let sample = &village.pretraining.training[..150];
    let nats: Vec<f64> = sample
        .iter()
        .map(|text| exact_nats(&village.world, text).unwrap())
        .collect();
    let counts: Vec<usize> = sample.iter().map(|text| tokens(text).count() + 1).collect();
    // Two samples of one language: the difference of their means is within three standard errors.
    let zero = vec![0.0; nats.len()];
    let trained = score_loss(&nats, &zero, &counts, 1).unwrap();
    let error = trained.gap.standard_error * std::f64::consts::SQRT_2;
    let difference = (trained.nats_per_token - floor.nats_per_token()).abs();
    assert!(
        difference < 3.0 * error && error < 0.03,
        "{difference} with a standard error of {error}"
    );
}

#[test]
fn a_model_of_short_runs_of_words_stays_above_the_floor_but_not_far() {
    let village = hamlet(6);
    let text = village.pretraining.training_text();
    let trained: Vec<&str> = tokens(&text).collect();
    let held_out = village.pretraining.held_out_text();
    let scored: Vec<&str> = tokens(&held_out).collect();
    assert_eq!(scored.len(), village.floor().tokens);
    let loss = run_loss(&trained, &scored, 5);
    let floor = village.floor().nats_per_token();
    assert!(
        loss > floor + 0.05 && loss < floor + 1.0,
        "loss {loss}, floor {floor}"
    );
}

/// Mean loss of a mixture of counts of runs of up to `order` words (Witten and Bell 1991).
fn run_loss<'t>(trained: &[&'t str], scored: &[&'t str], order: usize) -> f64 {
    let mut followers: HashMap<&[&str], HashMap<&str, f64>> = HashMap::new();
    for length in 0..order {
        for window in trained.windows(length + 1) {
            *followers
                .entry(&window[..length])
                .or_default()
                .entry(window[length])
                .or_default() += 1.0;
        }
    }
    let words = followers[&[][..]].len() as f64;
    let mut loss = 0.0;
    for position in 0..scored.len() {
        let mut probability = 1.0 / words;
        for length in 0..order.min(position + 1) {
            let Some(next) = followers.get(&scored[position - length..position]) else {
                break;
            };
            let (total, kinds): (f64, f64) = (next.values().sum(), next.len() as f64);
            let count = next.get(scored[position]).copied().unwrap_or(0.0);
            probability = (count + kinds * probability) / (total + kinds);
        }
        loss -= probability.ln();
    }
    loss / scored.len() as f64
}

#[test]
fn the_units_of_the_floor_fit_together() {
    let village = hamlet(7);
    let floor = village.floor();
    let text = village.pretraining.held_out_text();
    assert_eq!(floor.characters, text.chars().count());
    assert_eq!(floor.words, text.split_whitespace().count());
    assert_eq!(floor.documents, text.lines().count());
    let sum: f64 = village.pretraining.held_out_nats.iter().sum();
    assert!((floor.nats - sum).abs() < 1e-6);
    assert!((floor.nats_per_token_of(floor.tokens) - floor.nats_per_token()).abs() < 1e-12);
    assert!(floor.nats_per_character() < floor.nats_per_word());
}
