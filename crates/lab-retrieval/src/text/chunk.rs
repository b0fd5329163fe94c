//! Cuts documents into chunks that fit the window of an embedder.
//!
//! A text is first cut into pieces (words, sentences, paragraphs), which are then packed greedily. A piece that
//! is too long alone is cut into the next finer kind of piece.

use super::segment::{paragraphs, sections, sentences, words};
use lab_protocol::{ChunkConfig, ChunkMethod, LabError, RagDocument};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// Id of the document.
    pub document: String,
    /// Its position among the chunks of its document, from 0.
    pub number: usize,
    /// First character in the document, counted in Unicode scalar values.
    pub start: usize,
    /// The character after the last.
    pub end: usize,
    pub text: String,
    /// The headings above it, outermost first, if it was cut by structure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headings: Vec<String>,
}

/// The number of words, as a plain count of tokens.
pub fn count_words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// The chunks of a document. `count` gives the number of tokens of a text; no chunk has more than
/// `config.size`, unless a single character does. White space around chunks is left out.
pub fn chunk(
    document: &RagDocument,
    config: &ChunkConfig,
    count: &dyn Fn(&str) -> usize,
) -> Result<Vec<Chunk>, LabError> {
    config.validate().map_err(|error| error.at("chunking"))?;
    let text = &document.content;
    let packer = Packer {
        text,
        size: config.size,
        overlap: config.overlap,
        count,
    };
    let parts: Vec<(Range<usize>, Vec<String>)> = match config.method {
        ChunkMethod::Tokens => with_headings(packer.pack(words(text, 0..text.len())), &[]),
        ChunkMethod::Sentences => with_headings(packer.pack(sentences(text, 0..text.len())), &[]),
        ChunkMethod::Structure => sections(text)
            .into_iter()
            .flat_map(|section| {
                let ranges = packer.pack(paragraphs(text, section.range));
                with_headings(ranges, &section.headings)
            })
            .collect(),
    };
    Ok(number(document, parts))
}

fn with_headings(
    ranges: Vec<Range<usize>>,
    headings: &[String],
) -> Vec<(Range<usize>, Vec<String>)> {
    ranges
        .into_iter()
        .map(|range| (range, headings.to_vec()))
        .collect()
}

/// Byte ranges become chunks with character ranges, in one pass over the text. Overlapping chunks may
/// begin before their predecessor ends, but never before it begins.
fn number(document: &RagDocument, parts: Vec<(Range<usize>, Vec<String>)>) -> Vec<Chunk> {
    let text = &document.content;
    let (mut bytes, mut characters) = (0, 0);
    let mut chunks = Vec::with_capacity(parts.len());
    for (range, headings) in parts {
        let part = &text[range.clone()];
        characters += text[bytes..range.start].chars().count();
        bytes = range.start;
        chunks.push(Chunk {
            document: document.id.clone(),
            number: chunks.len(),
            start: characters,
            end: characters + part.chars().count(),
            text: part.to_owned(),
            headings,
        });
    }
    chunks
}

struct Packer<'a> {
    text: &'a str,
    size: usize,
    overlap: usize,
    count: &'a dyn Fn(&str) -> usize,
}

/// A piece that stays whole and the tokens in it.
#[derive(Clone)]
struct Piece {
    range: Range<usize>,
    tokens: usize,
}

impl Packer<'_> {
    /// Packs consecutive pieces into ranges of at most `size` tokens, without white space around them.
    fn pack(&self, pieces: Vec<Range<usize>>) -> Vec<Range<usize>> {
        let pieces = self.small(pieces);
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut first = 0;
        while first < pieces.len() {
            let last = self.fill(&pieces, first);
            let range = self.trim(pieces[first].range.start..pieces[last].range.end);
            if !range.is_empty() {
                ranges.push(range);
            }
            if last + 1 == pieces.len() {
                break;
            }
            first = self.step_back(&pieces, first, last);
        }
        ranges
    }

    /// The last piece that still fits when a chunk begins with the piece `first`.
    fn fill(&self, pieces: &[Piece], first: usize) -> usize {
        let mut last = first;
        let mut tokens = pieces[first].tokens;
        while last + 1 < pieces.len() && tokens + pieces[last + 1].tokens <= self.size {
            last += 1;
            tokens += pieces[last].tokens;
        }
        // The whole may have more tokens than its parts together, if a tokenizer marks the beginning.
        while last > first
            && (self.count)(&self.text[pieces[first].range.start..pieces[last].range.end])
                > self.size
        {
            last -= 1;
        }
        last
    }

    /// The beginning of the next chunk: at the pieces of the overlap, but always after the beginning of this chunk,
    /// and with room for at least one piece that this chunk does not have.
    fn step_back(&self, pieces: &[Piece], first: usize, last: usize) -> usize {
        let mut next = last + 1;
        let mut tokens = 0;
        while next > first + 1 {
            let more = pieces[next - 1].tokens;
            if tokens + more > self.overlap || tokens + more + pieces[last + 1].tokens > self.size {
                break;
            }
            tokens += more;
            next -= 1;
        }
        // A shorter overlap if the new piece would not fit into the counted whole.
        while next <= last && self.fill(pieces, next) <= last {
            next += 1;
        }
        next
    }

    /// Pieces with their tokens; pieces that are too long are cut further.
    fn small(&self, pieces: Vec<Range<usize>>) -> Vec<Piece> {
        let mut small = Vec::with_capacity(pieces.len());
        for range in pieces {
            self.add(range, 0, &mut small);
        }
        small
    }

    /// `level`: how often the piece has been cut already.
    fn add(&self, range: Range<usize>, level: usize, small: &mut Vec<Piece>) {
        // A word of megabytes is not given to the tokenizer whole: no token is this long.
        let enormous = range.len() / 64 > self.size;
        let tokens = if enormous {
            usize::MAX
        } else {
            (self.count)(&self.text[range.clone()])
        };
        if tokens <= self.size {
            small.push(Piece { range, tokens });
            return;
        }
        let finer = match level {
            0 => sentences(self.text, range.clone()),
            1 => words(self.text, range.clone()),
            _ => match self.halves(&range) {
                Some(halves) => halves.into(),
                None => return small.push(Piece { range, tokens }),
            },
        };
        for part in finer {
            self.add(part, level + 1, small);
        }
    }

    /// The two halves of a range, cut between characters; none for a single character.
    fn halves(&self, range: &Range<usize>) -> Option<[Range<usize>; 2]> {
        let middle = (range.start + range.len() / 2..range.end)
            .find(|&at| at > range.start && self.text.is_char_boundary(at))
            .or_else(|| {
                (range.start + 1..range.end)
                    .rev()
                    .find(|&at| self.text.is_char_boundary(at))
            })?;
        Some([range.start..middle, middle..range.end])
    }

    fn trim(&self, range: Range<usize>) -> Range<usize> {
        let text = &self.text[range.clone()];
        let start = range.start + (text.len() - text.trim_start().len());
        start..(start + text.trim().len())
    }
}
