//! The pieces of a text, as byte ranges that follow each other without gaps.

use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// Words, each with the white space after it.
pub fn words(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let part = &text[range.clone()];
    let mut starts = Vec::new();
    let mut was_space = true;
    for (at, character) in part.char_indices() {
        let space = character.is_whitespace();
        if was_space && !space {
            starts.push(at);
        }
        was_space = space;
    }
    between(&starts, range)
}

/// Sentences by Unicode's rules (UAX 29), each with the white space after it.
pub fn sentences(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let part = &text[range.clone()];
    let starts: Vec<usize> = part
        .split_sentence_bound_indices()
        .map(|(at, _)| at)
        .collect();
    between(&starts, range)
}

/// Paragraphs, each with the empty lines after it.
pub fn paragraphs(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut starts = Vec::new();
    let mut was_empty = true;
    for (at, line) in lines(text, range.clone()) {
        let empty = line.trim().is_empty();
        if was_empty && !empty {
            starts.push(at - range.start);
        }
        was_empty = empty;
    }
    between(&starts, range)
}

/// A heading and the text below it, up to the next heading.
pub struct Section {
    pub range: Range<usize>,
    /// The headings above, its own last.
    pub headings: Vec<String>,
}

/// Sections of Markdown, by lines that begin with one to six `#`; the text before the first heading is a section
/// without headings. Text fenced by ``` or ~~~ has no headings.
pub fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut start = 0;
    let mut fence: Option<&str> = None;
    for (at, line) in lines(text, 0..text.len()) {
        let marker = ["```", "~~~"]
            .into_iter()
            .find(|mark| line.trim_start().starts_with(mark));
        match (fence, marker) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        let Some((level, title)) = heading(line).filter(|_| fence.is_none()) else {
            continue;
        };
        push(&mut sections, text, start..at, &path);
        start = at;
        path.retain(|(above, _)| *above < level);
        path.push((level, title.to_owned()));
    }
    push(&mut sections, text, start..text.len(), &path);
    sections
}

fn push(sections: &mut Vec<Section>, text: &str, range: Range<usize>, path: &[(usize, String)]) {
    if !text[range.clone()].trim().is_empty() {
        let headings = path.iter().map(|(_, title)| title.clone()).collect();
        sections.push(Section { range, headings });
    }
}

/// Level and title of a heading's line.
fn heading(line: &str) -> Option<(usize, &str)> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    let is_heading = (1..=6).contains(&level) && rest.starts_with([' ', '\t']);
    is_heading.then(|| (level, rest.trim().trim_end_matches('#').trim()))
}

/// Lines without their ends, and the beginning of each.
fn lines(text: &str, range: Range<usize>) -> impl Iterator<Item = (usize, &str)> {
    let mut at = range.start;
    text[range].split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line.trim_end_matches(['\n', '\r']))
    })
}

/// Ranges from each start to the next. Text before the first start belongs to the first piece; without any start
/// there is only white space, and no piece.
fn between(starts: &[usize], range: Range<usize>) -> Vec<Range<usize>> {
    let ends = starts.iter().skip(1).copied().chain([range.len()]);
    starts
        .iter()
        .zip(ends)
        .enumerate()
        .map(|(index, (&start, end))| {
            let start = if index == 0 { 0 } else { start };
            range.start + start..range.start + end
        })
        .collect()
}
