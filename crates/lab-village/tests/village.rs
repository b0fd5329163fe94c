//! A village fulfils its promises: every fact is told often and in many ways, guessing does not pay, and the data
//! sets suffice for training and evaluation.

use lab_village::{
    ANSWERS, Attribute, I_DO_NOT_KNOW, Preset, QuestionKind, RELATED, Village, VillageSettings,
    reward, score,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// One village of each preset, made once.
fn all() -> &'static [Village] {
    static VILLAGES: OnceLock<Vec<Village>> = OnceLock::new();
    VILLAGES.get_or_init(|| {
        Preset::ALL
            .into_iter()
            .map(|preset| Village::preset(preset, 21).unwrap())
            .collect()
    })
}

#[test]
fn every_fact_is_told_often_and_in_many_ways() {
    for village in all() {
        let coverage = village.coverage();
        let settings = &village.settings;
        assert_eq!(coverage.facts, 7 * settings.people + 2 * settings.shops);
        assert!(
            coverage.min_times >= 40 && coverage.min_wordings >= 5,
            "{coverage:?}"
        );
    }
}

#[test]
fn guessing_answers_less_than_a_tenth() {
    for village in all() {
        for baseline in village.baselines() {
            assert!(baseline.chance < 0.1, "{baseline:?}");
        }
        for ceiling in village
            .ceilings()
            .iter()
            .filter(|ceiling| ceiling.measure == "new people" && ceiling.best < 1.0)
        {
            assert!(ceiling.best < 0.1, "{ceiling:?}");
        }
        // The most common answers of the village to each question about new people.
        let kind = QuestionKind::NewPerson;
        let guesses = village
            .baselines()
            .into_iter()
            .filter(|baseline| baseline.kind == kind);
        let (right, all) = guesses.fold((0.0, 0), |(right, all), baseline| {
            (
                right + baseline.majority * baseline.questions as f64,
                all + baseline.questions,
            )
        });
        assert!(
            right / (all as f64) < 0.1,
            "{}: {}",
            village.settings.preset.name(),
            right / all as f64
        );
    }
}

#[test]
fn the_text_states_what_is_true() {
    let village = Village::preset(Preset::Hamlet, 22).unwrap();
    let text = village.pretraining.training_text();
    for person in &village.world.people {
        for other in village.world.values_of(Attribute::Home) {
            let said = text.contains(&format!("{} lives in {other}", person.name));
            assert_eq!(
                said,
                *other == person.value(Attribute::Home),
                "{} in {other}",
                person.name
            );
        }
    }
}

#[test]
fn completions_ask_what_the_text_says() {
    for village in all() {
        let text = village.pretraining.training_text();
        assert_eq!(village.completions.len(), 7 * village.world.people.len());
        let said = |completion: &&lab_village::Completion| {
            text.contains(&format!("{} {}", completion.prompt, completion.answer))
        };
        let count = village.completions.iter().filter(said).count();
        assert_eq!(count, village.completions.len());
    }
}

#[test]
fn answers_of_reading_pairs_stand_in_their_passages_and_others_do_not() {
    for village in all() {
        let trained = village.instructions.iter().map(|pair| &pair.question);
        for question in trained.chain(&village.reading) {
            let about = |passage: &&String| passage.contains(&question.subject);
            let own: Vec<&String> = question.passages.iter().filter(about).collect();
            match (&question.answer, question.kind) {
                (_, QuestionKind::Trained) => assert!(question.passages.is_empty()),
                (Some(answer), _) => assert!(
                    own.iter().any(|passage| passage.contains(answer)),
                    "{question:?}"
                ),
                (None, kind) => assert_eq!(kind, QuestionKind::Unknown),
            }
            assert!(question.passages.len() <= village.settings.passages);
        }
        let unknown = village
            .reading
            .iter()
            .filter(|question| question.answer.is_none())
            .count();
        let share = unknown as f64 / village.reading.len() as f64;
        assert!(
            (share - village.settings.unknown_share).abs() < 0.1,
            "{share}"
        );
    }
}

#[test]
fn prompts_are_short_enough_for_a_small_window() {
    for village in all() {
        let longest = village
            .held_out_questions()
            .map(|question| {
                let text = format!("{}{}\n", question.prompt(), question.reference());
                lab_village::tokens(&text).count()
            })
            .max()
            .unwrap();
        assert!(
            longest <= 160,
            "{}: {longest} tokens",
            village.settings.preset.name()
        );
    }
}

#[test]
fn preferences_follow_the_true_reward_but_for_their_noise() {
    for village in all() {
        let is_right = |pair: &&lab_village::PreferencePair| {
            assert_eq!(pair.chosen_reward, reward(&pair.chosen).total);
            assert_eq!(pair.rejected_reward, reward(&pair.rejected).total);
            pair.chosen_reward > pair.rejected_reward
        };
        let right = village.preferences.iter().filter(is_right).count() as f64;
        let share = right / village.preferences.len() as f64;
        assert!(
            (1.0 - share - village.settings.preference_noise).abs() < 0.02,
            "{share}"
        );
        assert!(
            village
                .held_out_preferences
                .iter()
                .all(|pair| is_right(&pair))
        );
        let held_out: BTreeSet<&str> = village.questions.iter().map(|q| q.id.as_str()).collect();
        assert!(
            village
                .held_out_preferences
                .iter()
                .all(|pair| held_out.contains(pair.question.id.as_str()))
        );
    }
}

#[test]
fn training_answers_are_true_and_mostly_plain() {
    let village = Village::preset(Preset::Hamlet, 23).unwrap();
    let questions: Vec<_> = village
        .instructions
        .iter()
        .map(|pair| pair.question.clone())
        .collect();
    let answers: Vec<String> = village
        .instructions
        .iter()
        .map(|pair| pair.response.clone())
        .collect();
    let score = score(&questions, &answers, 1).unwrap();
    assert_eq!(score.exact.value, 1.0, "{:?}", score.failures.first());
    assert!(
        (0.4..0.7).contains(&score.strict.value),
        "{}",
        score.strict.value
    );
    assert!(
        (0.5..0.65).contains(&score.reward.value),
        "{}",
        score.reward.value
    );
    assert_eq!(
        (score.refusals.right.value, score.refusals.wrong.value),
        (1.0, 0.0)
    );
    assert!(
        village
            .reading
            .iter()
            .filter(|q| q.answer.is_none())
            .all(|q| q.reference() == I_DO_NOT_KNOW)
    );
}

#[test]
fn each_question_about_a_new_person_has_one_document_that_answers_it() {
    for village in all() {
        let library = &village.library;
        let settings = &village.settings;
        assert_eq!(library.documents.len(), 2 * settings.new_people);
        assert_eq!(
            library.questions.len(),
            settings.new_people * settings.questions_per_new_person
        );
        let documents: BTreeMap<&str, _> = library
            .documents
            .iter()
            .map(|d| (d.id.as_str(), d))
            .collect();
        for question in &library.questions {
            let graded = |grade: u32| {
                let rows = library
                    .relevance
                    .iter()
                    .filter(move |row| row.question == question.id && row.grade == grade);
                rows.map(|row| documents[row.document.as_str()])
                    .collect::<Vec<_>>()
            };
            let (right, related) = (graded(ANSWERS), graded(RELATED));
            assert!(right.len() == 1 && related.len() == 1, "{}", question.id);
            assert!(
                right[0].text.starts_with(&question.subject)
                    || right[0].text.contains(&question.subject)
            );
            assert!(
                right[0].text.contains(question.answer.as_deref().unwrap()),
                "{question:?} {}",
                right[0].text
            );
            assert!(!related[0].attributes.contains(&question.attribute));
        }
    }
}

#[test]
fn identifiers_are_unique() {
    for village in all() {
        let trained = village
            .instructions
            .iter()
            .map(|pair| pair.question.id.clone());
        let ids: Vec<String> = trained
            .chain(
                village
                    .held_out_questions()
                    .map(|question| question.id.clone()),
            )
            .collect();
        let documents = village
            .library
            .documents
            .iter()
            .map(|document| document.id.clone());
        let unique: BTreeSet<String> = ids.iter().cloned().chain(documents.clone()).collect();
        assert_eq!(unique.len(), ids.len() + documents.count());
    }
}

#[test]
fn people_may_share_first_names_where_the_settings_say_so() {
    let firsts = |village: &Village| {
        village
            .world
            .people
            .iter()
            .map(|person| person.name.first)
            .collect::<BTreeSet<_>>()
            .len()
    };
    let [hamlet, _, town] = all() else { panic!() };
    assert!(
        firsts(hamlet) >= hamlet.world.people.len() - 4,
        "{}",
        firsts(hamlet)
    );
    assert!(firsts(town) * 2 < town.world.people.len());
}

#[test]
fn impossible_settings_are_refused() {
    let settings = VillageSettings {
        people: 10_000,
        ..VillageSettings::preset(Preset::Hamlet, 0)
    };
    assert_eq!(
        Village::new(settings).err().unwrap().field.as_deref(),
        Some("people")
    );
}

#[test]
fn validation_and_test_questions_share_no_fact() {
    for village in all() {
        let facts = |questions: Vec<&lab_village::Question>| -> BTreeSet<(String, Attribute)> {
            let keys = questions.iter().map(|q| (q.subject.clone(), q.attribute));
            keys.collect()
        };
        let validation: Vec<_> = village.validation_questions().collect();
        let test: Vec<_> = village.test_questions().collect();
        assert_eq!(validation.len() + test.len(), village.questions.len());
        for kind in [QuestionKind::UnseenPerson, QuestionKind::UnseenQuestion] {
            let of_kind = |questions: &[&lab_village::Question]| {
                questions.iter().filter(|q| q.kind == kind).count() as f64
            };
            let share = of_kind(&validation) / (of_kind(&validation) + of_kind(&test));
            assert!((0.2..0.45).contains(&share), "{kind:?}: {share}");
        }
        let (validation, test) = (facts(validation), facts(test));
        assert!(validation.is_disjoint(&test));
        let chosen_by = facts(
            village
                .validation_preferences()
                .map(|p| &p.question)
                .collect(),
        );
        assert!(!chosen_by.is_empty() && chosen_by.is_subset(&validation));
    }
}
