//! The exported files can be read by readers of their formats, and fit together.

use lab_village::{Preset, Question, Village, VillageFile, VillageSettings, reward};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn files() -> (Village, BTreeMap<String, String>) {
    let village = Village::preset(Preset::Hamlet, 31).unwrap();
    let files = village
        .files()
        .into_iter()
        .map(|VillageFile { path, text }| (path, text))
        .collect();
    (village, files)
}

fn rows(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_file_is_there_and_ends_with_a_new_line() {
    let (_, files) = files();
    assert_eq!(files.len(), 16);
    for (path, text) in &files {
        assert!(text.ends_with('\n') && text.len() > 100, "{path}");
        assert!(!path.starts_with('/') && !path.contains(".."), "{path}");
        if path.ends_with(".jsonl") {
            assert!(rows(text).iter().all(Value::is_object), "{path}");
        } else if path.ends_with(".json") {
            serde_json::from_str::<Value>(text).unwrap();
        }
    }
}

#[test]
fn instructions_have_the_columns_of_a_supervised_trainer() {
    let (village, files) = files();
    let trained = rows(&files["instructions/train.jsonl"]);
    assert_eq!(trained.len(), village.instructions.len());
    for (row, pair) in trained.iter().zip(&village.instructions) {
        assert_eq!(row["prompt"], pair.question.prompt());
        assert_eq!(row["completion"], pair.response);
    }
    let held_out = rows(&files["instructions/held_out.jsonl"]);
    assert_eq!(
        held_out.len(),
        village.questions.len() + village.reading.len()
    );
    for row in &held_out {
        let accepted = row["accepted"].as_array().unwrap();
        assert!(accepted.contains(&row["completion"]), "{row}");
    }
}

#[test]
fn preferences_have_the_columns_of_a_preference_trainer() {
    let (_, files) = files();
    for file in ["preferences/train.jsonl", "preferences/held_out.jsonl"] {
        for row in rows(&files[file]) {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            assert!(text("prompt").ends_with("?\n"));
            assert_eq!(row["chosen_reward"], reward(&text("chosen")).total);
            assert_eq!(row["rejected_reward"], reward(&text("rejected")).total);
        }
    }
}

#[test]
fn the_retrieval_task_is_in_beir_layout() {
    let (village, files) = files();
    let ids = |file: &str| -> BTreeSet<String> {
        let rows = rows(&files[file]);
        assert!(rows.iter().all(|row| row["text"].is_string()));
        rows.iter()
            .map(|row| row["_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let (documents, queries) = (
        ids("retrieval/corpus.jsonl"),
        ids("retrieval/queries.jsonl"),
    );
    assert_eq!(
        (documents.len(), queries.len()),
        (
            village.library.documents.len(),
            village.library.questions.len()
        )
    );
    let mut lines = files["retrieval/qrels/test.tsv"].lines();
    assert_eq!(lines.next(), Some("query-id\tcorpus-id\tscore"));
    let mut with_relevance = BTreeSet::new();
    for line in lines {
        let [query, document, grade] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        assert!(
            documents.contains(document) && ["1", "2"].contains(&grade),
            "{line}"
        );
        with_relevance.insert(query.to_owned());
    }
    assert_eq!(with_relevance, queries);
}

#[test]
fn the_village_can_be_made_again_from_its_settings_file() {
    let (village, files) = files();
    let settings =
        VillageSettings::from_json(serde_json::from_str(&files["village.json"]).unwrap()).unwrap();
    assert_eq!(settings, village.settings);
    assert_eq!(Village::new(settings).unwrap().digest(), village.digest());
}

#[test]
fn the_handout_tells_who_lives_there_what_is_asked_and_what_can_be_known() {
    let (village, files) = files();
    let page = &files["README.md"];
    for person in &village.world.people {
        assert!(
            page.contains(&format!("| {} |", person.name)),
            "{}",
            person.name
        );
    }
    let floor = format!("{:.4} nats a word token", village.floor().nats_per_token());
    assert!(page.contains(&floor));
    for heading in [
        "## Who lives there",
        "## What is asked",
        "## What is liked",
        "## What each strategy can and cannot know",
    ] {
        assert!(page.contains(heading), "{heading}");
    }
    assert!(!page.contains("{") && page.lines().all(|line| line.len() < 1200));
}

#[test]
fn questions_survive_json() {
    let (village, _) = files();
    for question in village.held_out_questions() {
        let text = serde_json::to_string(question).unwrap();
        assert_eq!(&serde_json::from_str::<Question>(&text).unwrap(), question);
    }
}
