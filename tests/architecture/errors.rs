//! The words of an error are a template, which is a key of a language table. The result of `format!` is not a
//! template.

use crate::{collect, read, root};
use std::collections::BTreeSet;

#[test]
fn no_error_is_written_by_format() {
    let mut files = Vec::new();
    for folder in ["crates", "web/src"] {
        collect(&root().join(folder), &mut files);
    }
    let sources: Vec<String> = files.iter().map(|file| read(file)).collect();
    let mut makers: BTreeSet<&str> =
        ["LabError::new", "LabError::config", "LabError::internal"].into();
    makers.extend(
        sources
            .iter()
            .flat_map(|source| source.lines())
            .filter_map(helper),
    );
    assert!(makers.len() > 8, "only {makers:?} make errors");
    let mut wrong = Vec::new();
    for (file, source) in files.iter().zip(&sources) {
        for maker in &makers {
            let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
            for (start, _) in source.match_indices(&format!("{maker}(")) {
                let (before, call) = source.split_at(start);
                let field = usize::from(*maker == "LabError::config");
                let mut words = arguments(&call[maker.len()..]).into_iter().skip(field);
                if !before.ends_with(part_of_name) && words.any(|word| word.contains("format!")) {
                    let line = before.lines().count();
                    wrong.push(format!("{}:{line}: {maker}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "use text! in\n{}", wrong.join("\n"));
}

/// The name of a function, in its first line, that makes an error of a message it is given.
fn helper(line: &str) -> Option<&str> {
    let (name, parameters) = line.split_once("fn ")?.1.split_once('(')?;
    let given = ["message: impl Into<Text>", "message: Text"];
    let is_helper = given.iter().any(|given| parameters.contains(given));
    (is_helper && parameters.contains("-> LabError")).then_some(name)
}

/// The arguments of a call, from its bracket on, without texts in quotes and without the inside of `text!`.
fn arguments(call: &str) -> Vec<String> {
    let mut arguments = vec![String::new()];
    let (mut depth, mut template, mut quoted) = (0, None, false);
    let mut characters = call.chars();
    while let Some(character) = characters.next() {
        let argument = arguments.last_mut().expect("there is a first");
        match character {
            '\\' if quoted => drop(characters.next()),
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => {
                depth += 1;
                if template.is_none() && argument.ends_with("text!") {
                    template = Some(depth);
                }
            }
            ')' | ']' | '}' => {
                template = template.filter(|inside| *inside != depth);
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            ',' if depth == 1 => arguments.push(String::new()),
            _ if template.is_none() => argument.push(character),
            _ => {}
        }
    }
    arguments
}

#[test]
fn a_format_beside_a_template_is_found() {
    let found = |call| arguments(call).iter().any(|word| word.contains("format!"));
    assert!(found("(code, format!(\"a) {b}\"), hint)"));
    assert!(found(
        "(code, match a { _ => format!(\"{a}\") }, text!(\"{b}\", b))"
    ));
    assert!(!found(
        "(code, text!(\"{a}\", a = format!(\"{b:?}\")), \"format!\"); format!()"
    ));
}
