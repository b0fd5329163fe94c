//! No files of a crate use each other in a circle.

use crate::modules::{Modules, Uses, circles};
use crate::{list, members, metadata, text};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[test]
fn no_files_use_each_other_in_a_circle() {
    let mut wrong = String::new();
    for (name, package) in members(&metadata()) {
        let mut found = String::new();
        for root in roots(package) {
            let uses = Modules::read(&root, &|file| std::fs::read_to_string(file).ok()).uses();
            let folder = root.parent().unwrap_or(Path::new(""));
            found += &describe(&uses, folder);
        }
        if !found.is_empty() {
            let _ = writeln!(wrong, "circles in {name}:\n{found}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The root files of a package, without its tests, examples and build scripts.
fn roots(package: &serde_json::Value) -> Vec<PathBuf> {
    let program = |target: &&serde_json::Value| {
        list(&target["kind"])
            .iter()
            .all(|kind| ["lib", "rlib", "cdylib", "bin"].contains(&text(kind)))
    };
    list(&package["targets"])
        .iter()
        .filter(program)
        .map(|target| PathBuf::from(text(&target["src_path"])))
        .collect()
}

/// One circle a line, with the path by which each file uses the next.
fn describe(uses: &Uses, folder: &Path) -> String {
    let mut lines = String::new();
    for circle in circles(uses) {
        let _ = write!(lines, "  ");
        for (index, file) in circle.iter().enumerate() {
            let next = &circle[(index + 1) % circle.len()];
            let shown = file.strip_prefix(folder).unwrap_or(file).display();
            let _ = write!(lines, "{shown} --{}--> ", uses[file][next]);
        }
        let first = circle[0].strip_prefix(folder).unwrap_or(&circle[0]);
        let _ = writeln!(lines, "{}", first.display());
    }
    lines
}

/// The circles of a crate with these files.
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<PathBuf>> {
    let files: BTreeMap<&Path, &str> = files.iter().map(|(n, t)| (Path::new(*n), *t)).collect();
    let read = |file: &Path| files.get(file).map(|text| text.to_string());
    circles(&Modules::read(Path::new("lib.rs"), &read).uses())
}

#[test]
fn a_root_that_only_shows_its_modules_is_in_no_circle() {
    let root = ("lib.rs", "mod a; mod b; pub use a::A; pub use b::make;");
    let a = ("a.rs", "use crate::make; pub struct A; fn f() { make() }");
    assert!(circles_of(&[root, a, ("b.rs", "pub fn make() {}")]).is_empty());
    // The way through the root leads to the file that has the item.
    let back = ("b.rs", "use super::A; pub fn make() { A; }");
    assert_eq!(
        circles_of(&[root, a, back]),
        [[PathBuf::from("a.rs"), PathBuf::from("b.rs")]]
    );
}

#[test]
fn a_module_whose_children_call_back_is_in_a_circle() {
    let child = ("child.rs", "use super::Shape; pub fn area(_: Shape) {}");
    let shows = "mod child; pub use child::area; pub struct Shape;";
    assert!(circles_of(&[("lib.rs", shows), child]).is_empty());
    for calls in [
        "fn f() { area(Shape) }",
        "fn f() { dbg!(child::area(Shape)) }",
    ] {
        let root = format!("{shows} {calls}");
        assert_eq!(circles_of(&[("lib.rs", &root), child]).len(), 1, "{calls}");
    }
}

#[test]
fn circles_are_found_through_folders_inline_paths_stars_and_attributes() {
    let root = "mod a; mod b;";
    for (a, b) in [
        (
            "pub struct A; fn f() { crate::b::g() }",
            "fn g() { super::a::A; }",
        ),
        (
            "use super::b::*; pub type A = B;",
            "pub struct B; type T = crate::a::A;",
        ),
        (
            "#[serde(with = \"crate::b::with\")] pub struct A;",
            "use crate::a::A;",
        ),
        (
            "pub fn a() { use crate::b; b::b() }",
            "pub fn b() { json!({ \"a\": crate::a::a() }) }",
        ),
    ] {
        let found = circles_of(&[("lib.rs", root), ("a/mod.rs", a), ("b.rs", b)]);
        assert_eq!(found.len(), 1, "{a} {b}");
    }
    let tested = "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }";
    let only_for_tests = [("lib.rs", root), ("a.rs", "use crate::b::B; pub struct A;")];
    assert!(circles_of(&[only_for_tests[0], only_for_tests[1], ("b.rs", tested)]).is_empty());
}
