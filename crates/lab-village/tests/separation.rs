//! Held-out data occurs nowhere in training data, and the check of it finds every kind of violation.

use lab_village::{Pair, Preset, Question, QuestionKind, Village, VillageSettings, WINDOW};
use std::collections::HashSet;

fn violations(village: &Village) -> Vec<String> {
    village.separation().violations
}

#[test]
fn a_hundred_seeds_are_separated() {
    for seed in 0..100 {
        let preset = VillageSettings::preset(Preset::Hamlet, seed);
        // The whole text for some seeds, a part of it for the others, to keep the test short.
        let documents = if seed < 10 {
            preset.documents
        } else {
            preset.documents / 4
        };
        let separation = Village::new(VillageSettings {
            documents,
            ..preset
        })
        .unwrap()
        .separation();
        assert_eq!(separation.violations, Vec::<String>::new(), "seed {seed}");
        assert!(
            separation.held_out_names > 100 && separation.held_out_questions > 450,
            "{separation:?}"
        );
        assert!(
            separation.held_out_facts > 50 && separation.held_out_runs > 3_000,
            "{separation:?}"
        );
    }
}

#[test]
fn no_long_run_of_held_out_words_is_found_by_comparing_the_words_themselves() {
    let village = hamlet();
    let held_out: Vec<Vec<&str>> = village
        .pretraining
        .held_out
        .iter()
        .map(|text| text.split_whitespace().collect())
        .collect();
    let runs: HashSet<&[&str]> = held_out
        .iter()
        .flat_map(|words| words.windows(WINDOW))
        .collect();
    assert!(runs.len() > 3_000);
    let pairs = village
        .instructions
        .iter()
        .flat_map(|pair| &pair.question.passages);
    for text in village.pretraining.training.iter().chain(pairs) {
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(
            !words.windows(WINDOW).any(|run| runs.contains(run)),
            "{text}"
        );
    }
}

#[test]
fn larger_and_stranger_villages_are_separated() {
    assert_eq!(
        violations(&Village::preset(Preset::Village, 1).unwrap()),
        Vec::<String>::new()
    );
    let town = VillageSettings {
        documents: 20_000,
        ..VillageSettings::preset(Preset::Town, 1)
    };
    assert_eq!(
        violations(&Village::new(town).unwrap()),
        Vec::<String>::new()
    );
    let crowded = VillageSettings {
        people: 8,
        new_people: 8,
        first_names: 8,
        surnames: 8,
        shops: 2,
        passages: 8,
        confusable: 1.0,
        held_out_people: 0.6,
        held_out_questions: 0.6,
        travellers: 1.0,
        documents: 2_000,
        ..VillageSettings::preset(Preset::Hamlet, 2)
    };
    for seed in 0..10 {
        let village = Village::new(VillageSettings {
            seed,
            ..crowded.clone()
        })
        .unwrap();
        assert_eq!(violations(&village), Vec::<String>::new(), "seed {seed}");
    }
}

fn hamlet() -> Village {
    Village::preset(Preset::Hamlet, 11).unwrap()
}

fn only(violations: &[String], words: &str) {
    assert!(
        !violations.is_empty() && violations.iter().all(|text| text.contains(words)),
        "{violations:?}"
    );
}

#[test]
fn a_held_out_document_in_the_training_text_is_seen() {
    let mut village = hamlet();
    let document = village.pretraining.held_out[17].clone();
    village
        .pretraining
        .training
        .push(format!("One more thing. {document}"));
    only(&violations(&village), "run of held-out words");
}

#[test]
fn a_held_out_question_in_training_is_found() {
    let mut village = hamlet();
    let question = village
        .questions
        .iter()
        .find(|q| q.kind == QuestionKind::UnseenQuestion)
        .unwrap()
        .clone();
    village.instructions.push(Pair {
        response: question.reference(),
        question,
    });
    let found = violations(&village);
    assert!(
        found
            .iter()
            .any(|text| text.contains("is asked in training")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|text| text.contains("is held out and asked")),
        "{found:?}"
    );
}

#[test]
fn another_question_about_somebody_held_out_is_seen() {
    let mut village = hamlet();
    let unseen = village
        .questions
        .iter()
        .find(|q| q.kind == QuestionKind::UnseenPerson)
        .unwrap()
        .clone();
    // Without it no held-out question of this village has the pair's words.
    village
        .questions
        .retain(|question| question.text != unseen.text);
    let pair = Pair {
        response: unseen.reference(),
        question: Question {
            id: "extra".into(),
            ..unseen
        },
    };
    village.instructions.push(pair);
    let found = violations(&village);
    assert!(
        found
            .iter()
            .any(|text| text.contains("is held out, but asked about")),
        "{found:?}"
    );
}

#[test]
fn a_new_person_named_in_training_is_seen() {
    let mut village = hamlet();
    let name = village.world.newcomers[3].name;
    village
        .pretraining
        .training
        .push(format!("Yesterday {name} came by."));
    only(&violations(&village), "is named in training");
    let mut village = hamlet();
    let subject = village.reading[0].subject.clone();
    village.preferences[0].rejected = format!("I heard it from {subject}.");
    only(&violations(&village), "is named in training");
}

#[test]
fn a_question_in_the_text_to_pretrain_on_is_seen() {
    let mut village = hamlet();
    village.pretraining.training.push("Who knows?".into());
    only(&violations(&village), "has a question in it");
}
