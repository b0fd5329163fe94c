//! The files of a village are the same on every machine: their digests are written down here, and
//! `wasm.test.mjs` compares them with the wasm module's.

use lab_village::{Preset, Village, VillageSettings};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    preset: Preset,
    seed: u64,
    sha256: String,
}

#[test]
fn the_files_are_what_they_were() {
    let expected: Vec<Expected> = serde_json::from_str(include_str!("digests.json")).unwrap();
    assert!(expected.len() >= 4);
    let found: Vec<String> = expected
        .iter()
        .map(|e| {
            let village = Village::preset(e.preset, e.seed).unwrap();
            format!("{} {} {}", e.preset.name(), e.seed, village.digest())
        })
        .collect();
    let wanted: Vec<String> = expected
        .iter()
        .map(|e| format!("{} {} {}", e.preset.name(), e.seed, e.sha256))
        .collect();
    assert_eq!(
        found, wanted,
        "an intended change of the village changes digests.json with it"
    );
}

#[test]
fn a_setting_changes_only_what_it_is_about() {
    let settings = VillageSettings::preset(Preset::Hamlet, 5);
    let village = Village::new(settings.clone()).unwrap();
    let more = Village::new(VillageSettings {
        preference_pairs: 700,
        judged_reading: 20,
        ..settings.clone()
    })
    .unwrap();
    assert_eq!(village.pretraining.training, more.pretraining.training);
    assert_eq!(
        village.preferences[..],
        more.preferences[..village.preferences.len()]
    );
    assert_eq!(village.reading[..20], more.reading[..]);
    let other = Village::new(VillageSettings {
        seed: 6,
        ..settings
    })
    .unwrap();
    assert_ne!(village.pretraining.training, other.pretraining.training);
    assert_ne!(village.digest(), other.digest());
}
