//! No source file is too long to be read at one go.

use crate::{read, root};
use std::path::{Path, PathBuf};

/// Lines of a file that is written by hand.
const MAXIMUM: usize = 450;
/// Written by a program.
const GENERATED: [&str; 2] = [
    "crates/lab-js/npm/schema.js",
    "crates/lab-js/npm/schema.d.ts",
];
/// Longer files that are still to be split. One that has been must leave this list.
const TOO_LONG: &[&str] = &[];

const ENDINGS: [&str; 7] = ["rs", "js", "mjs", "ts", "css", "html", "sh"];
/// Folders of other people's code and of build results.
const NOT_OURS: [&str; 7] = [
    "vendor",
    "node_modules",
    "target",
    "dist",
    "worker-dist",
    "data",
    "engine",
];

#[test]
fn no_file_is_longer_than_450_lines() {
    let root = root();
    let mut files = Vec::new();
    for folder in ["crates", "web", "tests", "fuzz"] {
        collect(&root.join(folder), &mut files);
    }
    assert!(files.len() > 300, "only {} files were found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap_or(&file);
        let name = name.to_string_lossy().replace('\\', "/");
        let lines = read(&file).lines().count();
        let (is_long, is_listed) = (lines > MAXIMUM, TOO_LONG.contains(&name.as_str()));
        if is_long && !is_listed && !GENERATED.contains(&name.as_str()) {
            wrong.push(format!("{name} has {lines} lines: split it"));
        } else if is_listed && !is_long {
            wrong.push(format!(
                "{name} has only {lines} lines: take it off TOO_LONG"
            ));
        }
    }
    let gone = TOO_LONG.iter().filter(|name| !root.join(name).exists());
    wrong.extend(gone.map(|name| format!("{name} is gone: take it off TOO_LONG")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && !NOT_OURS.iter().any(|not| name == *not) {
            collect(&path, files);
        } else if path
            .extension()
            .is_some_and(|end| ENDINGS.iter().any(|ours| end == *ours))
        {
            files.push(path);
        }
    }
}
