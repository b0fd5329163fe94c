//! The rules of ARCHITECTURE.md that can be read off the manifests and the sources.

mod circles;
mod errors;
mod modules;
mod sizes;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates from the lowest layer to the highest. Each may use only crates of lower layers.
const LAYERS: [&[&str]; 6] = [
    &["lab-protocol-derive"],
    &["lab-protocol"],
    &["lab-model", "lab-retrieval", "lab-village"],
    &["lab-strategies"],
    &["lab-bench", "lab-orchestrator"],
    &["lab-cli", "lab-js"],
];
/// Crates outside the layers with the crates of ours that they may use; the tests may use everything.
const OUTSIDE: [(&str, &[&str]); 4] = [
    ("lab-client", &["lab-protocol", "lab-orchestrator"]),
    (
        "lab-package",
        &["lab-protocol", "lab-orchestrator", "lab-client"],
    ),
    (
        "lab-web",
        &["lab-protocol", "lab-orchestrator", "lab-client"],
    ),
    ("xtask", &[]),
];
const TESTS: &str = "lab-tests";

// These two lists are searched for as text. Clippy's `disallowed-methods` would say the same natively, but it does not
// see code that is compiled for wasm only, and every file of tests, which may read and wait, would need an exception.

/// Calls that read a tensor while the program waits, which panics in a browser.
const SYNCHRONOUS_READS: [&str; 4] = [".into_data(", ".to_data(", ".into_scalar(", ".sync("];
/// Files, network, threads and clocks of the platform.
const PLATFORM: [&str; 9] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env::",
    "SystemTime",
    "Instant",
    "web_sys",
    "js_sys",
];

/// The tasks of the loop around a learner, which no strategy does itself: hear commands, measure time, emit events.
const LOOP_PARTS: [&str; 7] = [
    "next_command",
    "step_begins",
    "step_ends",
    "waited_since",
    "emit",
    "Command",
    "Event",
];

#[test]
fn dependencies_point_one_way() {
    let metadata = metadata();
    let ours = members(&metadata);
    for (name, package) in &ours {
        let allowed = allowed(name)
            .unwrap_or_else(|| panic!("{name} has no place in the layers: give it one above"));
        for dependency in direct(package) {
            let forbidden = ours.contains_key(dependency) && !allowed.contains(dependency);
            assert!(!forbidden, "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_protocol_stands_on_no_tensors_and_no_browser() {
    let used = transitive(&metadata(), "lab-protocol");
    assert!(
        used.contains("serde"),
        "the resolved graph was not read: {used:?}"
    );
    assert_none(
        &used,
        "lab-protocol",
        &[
            "burn",
            "cubecl",
            "wgpu",
            "web-sys",
            "js-sys",
            "wasm-bindgen",
            "leptos",
        ],
    );
}

#[test]
fn the_orchestrator_the_client_and_the_page_link_no_tensors() {
    let metadata = metadata();
    for name in ["lab-orchestrator", "lab-client", "lab-package", "lab-web"] {
        let used = transitive(&metadata, name);
        assert!(
            used.contains("lab-protocol"),
            "{name} speaks the protocol: {used:?}"
        );
        assert_none(&used, name, &["burn", "cubecl", "wgpu"]);
        let known = ["lab-orchestrator", "lab-client"];
        let ours = used.iter().filter(|other| other.starts_with("lab-"));
        let others: Vec<_> = ours
            .filter(|other| !other.starts_with("lab-protocol") && !known.contains(&other.as_str()))
            .collect();
        assert!(others.is_empty(), "{name} reaches {others:?}");
    }
}

#[test]
fn nothing_on_the_training_path_reads_a_tensor_synchronously() {
    for file in sources(&["lab-model", "lab-strategies"]) {
        forbid(&file, &SYNCHRONOUS_READS);
    }
}

#[test]
fn the_core_touches_no_platform() {
    for file in sources(&[
        "lab-protocol",
        "lab-model",
        "lab-retrieval",
        "lab-village",
        "lab-strategies",
        "lab-orchestrator",
    ]) {
        forbid(&file, &PLATFORM);
    }
}

#[test]
fn only_the_loop_calls_its_parts() {
    let folder = root().join("crates/lab-strategies/src/run");
    let outside = sources(&["lab-strategies"]).into_iter();
    let outside: Vec<PathBuf> = outside.filter(|file| !file.starts_with(&folder)).collect();
    assert!(outside.len() > 20, "{outside:?}");
    for file in outside {
        forbid(&file, &LOOP_PARTS);
    }
}

#[test]
fn no_strategy_imports_another() {
    // Module name, the strategies it defines, its code.
    let modules: Vec<(String, Vec<String>, String)> = sources(&["lab-strategies"])
        .into_iter()
        .map(|file| {
            let code = production_code(&read(&file));
            (
                file.file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                strategies(&code),
                code,
            )
        })
        .filter(|(_, strategies, _)| !strategies.is_empty())
        .collect();
    assert!(
        !modules.is_empty(),
        "no strategy was found: is the search still right?"
    );
    for (name, _, code) in &modules {
        for (other, types, _) in modules.iter().filter(|(other, ..)| other != name) {
            for word in std::iter::once(other).chain(types) {
                assert!(
                    !has_word(code, word),
                    "the strategy {name} mentions {word} of the strategy {other}"
                );
            }
        }
    }
}

#[test]
fn the_search_skips_comments_and_tests() {
    let source = "fn a() {} // std::fs\n/// .sync()\n#[cfg(test)]\nmod tests {\n    fn b() { std::fs::read(); }\n}\nfn c() {}\n";
    let code = production_code(source);
    assert!(code.contains("fn a()") && code.contains("fn c()"), "{code}");
    assert!(
        !code.contains("std::fs") && !code.contains("sync"),
        "{code}"
    );
    assert!(has_word("use crate::rag::Index;", "rag") && !has_word("drag(storage)", "rag"));
    assert_eq!(
        strategies("#[async_trait(?Send)]\nimpl Strategy for RagStrategy {"),
        ["RagStrategy"]
    );
    assert_eq!(strategies("impl<S: Strategy> Runner for S {"), [""; 0]);
}

/// Cargo's own view of the workspace, as it is built for the browser.
fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--filter-platform",
            "wasm32-unknown-unknown",
        ])
        .current_dir(root())
        .output()
        .expect("cargo can be started");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The packages of the workspace by name.
fn members(metadata: &Value) -> BTreeMap<&str, &Value> {
    let members: BTreeSet<&str> = list(&metadata["workspace_members"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    list(&metadata["packages"])
        .iter()
        .filter(|package| members.contains(text(&package["id"])))
        .map(|package| (text(&package["name"]), package))
        .collect()
}

/// Our crates that a crate may depend on; none for a crate that has no place yet.
fn allowed(name: &str) -> Option<BTreeSet<&'static str>> {
    if let Some((_, allowed)) = OUTSIDE.iter().find(|(outside, _)| *outside == name) {
        return Some(allowed.iter().copied().collect());
    }
    let layer = LAYERS
        .iter()
        .position(|layer| layer.contains(&name))
        .or((name == TESTS).then_some(LAYERS.len()))?;
    Some(
        LAYERS[..layer]
            .iter()
            .flat_map(|layer| layer.iter().copied())
            .collect(),
    )
}

/// The names of a package's dependencies, except those of its tests.
fn direct(package: &Value) -> impl Iterator<Item = &str> {
    list(&package["dependencies"])
        .iter()
        .filter(|d| text(&d["kind"]) != "dev")
        .map(|d| text(&d["name"]))
}

/// Every package that is linked into one of ours.
fn transitive(metadata: &Value, package: &str) -> BTreeSet<String> {
    let names: BTreeMap<&str, &str> = list(&metadata["packages"])
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let nodes: BTreeMap<&str, &Value> = list(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| (text(&node["id"]), node))
        .collect();
    let mut waiting: Vec<&str> = members(metadata)
        .get(package)
        .map(|package| text(&package["id"]))
        .into_iter()
        .collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        for dependency in nodes
            .get(id)
            .map(|node| list(&node["deps"]))
            .unwrap_or_default()
        {
            // A kind of null is a dependency proper; the others are of tests and build scripts.
            let linked = list(&dependency["dep_kinds"])
                .iter()
                .any(|kind| kind["kind"].is_null());
            let target = text(&dependency["pkg"]);
            if linked && seen.insert(target) {
                waiting.push(target);
            }
        }
    }
    seen.into_iter()
        .filter_map(|id| names.get(id).map(|name| name.to_string()))
        .collect()
}

fn assert_none(used: &BTreeSet<String>, package: &str, families: &[&str]) {
    for family in families {
        let found: Vec<_> = used
            .iter()
            .filter(|name| *name == family || name.starts_with(&format!("{family}-")))
            .collect();
        assert!(found.is_empty(), "{package} links {found:?}");
    }
}

/// The source files of crates; one that does not exist yet has none.
fn sources(crates: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for name in crates {
        collect(&root().join("crates").join(name).join("src"), &mut files);
    }
    assert!(!files.is_empty(), "no sources of {crates:?}");
    files.sort();
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn forbid(file: &Path, patterns: &[&str]) {
    let code = production_code(&read(file));
    for (number, line) in code.lines().enumerate() {
        for pattern in patterns {
            // A pattern that is a name must match whole names; one with punctuation matches anywhere.
            let is_name = pattern.chars().all(|c| c.is_alphanumeric() || c == '_');
            let found = if is_name {
                has_word(line, pattern)
            } else {
                line.contains(pattern)
            };
            assert!(
                !found,
                "{}:{}: {pattern} in `{}`",
                file.display(),
                number + 1,
                line.trim()
            );
        }
    }
}

/// The code without comments and without items compiled for tests only; lines keep their numbers.
fn production_code(source: &str) -> String {
    let mut code = String::new();
    // While a test item is skipped: the number of open braces, and whether one was seen.
    let mut skipped: Option<(i64, bool)> = None;
    for line in source.lines() {
        let line = line.split("//").next().unwrap_or_default();
        if skipped.is_none() && line.trim_start().starts_with("#[cfg(test)]") {
            skipped = Some((0, false));
        }
        match &mut skipped {
            None => code.push_str(line),
            Some((open, seen)) => {
                *open += line.matches('{').count() as i64 - line.matches('}').count() as i64;
                *seen |= line.contains('{');
                if (*seen && *open <= 0) || (!*seen && line.trim_end().ends_with(';')) {
                    skipped = None;
                }
            }
        }
        code.push('\n');
    }
    code
}

/// The types that a module makes strategies: `impl Strategy for X`.
fn strategies(code: &str) -> Vec<String> {
    code.lines()
        .filter(|line| line.trim_start().starts_with("impl"))
        .filter_map(|line| line.split_once(" Strategy for "))
        .map(|(_, rest)| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

fn has_word(code: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(start, _)| {
        let before = code[..start].chars().next_back().is_some_and(part_of_name);
        let after = code[start + word.len()..]
            .chars()
            .next()
            .is_some_and(part_of_name);
        !before && !after
    })
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
