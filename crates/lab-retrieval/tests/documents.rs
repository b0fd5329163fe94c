//! Files become documents, documents chunks.

use lab_protocol::{ChunkConfig, ChunkMethod, RagDocument};
use lab_retrieval::read::{Format, read};
use lab_retrieval::{chunk, count_words};
use proptest::prelude::*;

fn document(content: &str) -> RagDocument {
    RagDocument {
        id: "d".into(),
        content: content.into(),
        ..RagDocument::default()
    }
}

fn characters(text: &str, start: usize, end: usize) -> String {
    text.chars().skip(start).take(end - start).collect()
}

#[test]
fn structure_keeps_headings_and_paragraphs() {
    let text = "Before.\n\n# One\n\nFirst paragraph here.\n\nSecond paragraph here.\n\n## Deeper\n\n```\n# no heading\n```\n\n# Two\nLast.\n";
    let config = ChunkConfig {
        method: ChunkMethod::Structure,
        size: 8,
        overlap: 0,
    };
    let chunks = chunk(&document(text), &config, &count_words).unwrap();
    let texts: Vec<&str> = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "Before.",
            "# One\n\nFirst paragraph here.\n\nSecond paragraph here.",
            "## Deeper\n\n```\n# no heading\n```",
            "# Two\nLast."
        ]
    );
    assert_eq!(chunks[2].headings, ["One", "Deeper"]);
    assert_eq!(chunks[3].headings, ["Two"]);
}

#[test]
fn overlap_repeats_whole_pieces() {
    let config = ChunkConfig {
        method: ChunkMethod::Tokens,
        size: 4,
        overlap: 1,
    };
    let chunks = chunk(&document("a b c d e f g h"), &config, &count_words).unwrap();
    let texts: Vec<&str> = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    assert_eq!(texts, ["a b c d", "d e f g", "g h"]);
    let config = ChunkConfig {
        method: ChunkMethod::Sentences,
        size: 6,
        overlap: 2,
    };
    let chunks = chunk(
        &document("One two. Three four. Five six. Seven eight."),
        &config,
        &count_words,
    )
    .unwrap();
    let texts: Vec<&str> = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    assert_eq!(
        texts,
        ["One two. Three four. Five six.", "Five six. Seven eight."]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    /// For any text, chunks are at their stated places, within the size limit, and leave out only white space.
    #[test]
    fn chunks_cover_the_text(
        text in "([a-z]{0,9}|[ \n.#!?]{1,3}|é|ß|漢字|🦀| ){0,80}",
        size in 1usize..20, overlap in 0usize..6,
        method in prop_oneof![Just(ChunkMethod::Tokens), Just(ChunkMethod::Sentences), Just(ChunkMethod::Structure)],
    ) {
        prop_assume!(overlap < size);
        // Counts more than words, so words are cut too.
        let count = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count().div_ceil(3);
        let chunks = chunk(&document(&text), &ChunkConfig { method, size, overlap }, &count).unwrap();
        let mut covered = vec![false; text.chars().count()];
        for (number, chunk) in chunks.iter().enumerate() {
            prop_assert_eq!(chunk.number, number);
            prop_assert_eq!(&chunk.text, &characters(&text, chunk.start, chunk.end));
            prop_assert!(count(&chunk.text) <= size);
            covered[chunk.start..chunk.end].fill(true);
        }
        for (character, covered) in text.chars().zip(covered) {
            prop_assert!(covered || character.is_whitespace(), "{character} was lost");
        }
    }

    /// No bytes make a reader panic.
    #[test]
    fn readers_survive_anything(bytes in prop::collection::vec(any::<u8>(), 0..300), html in "(<[a-z/!-]{0,8}>?|[a-z &;#]{0,5}){0,40}") {
        for format in [Format::Text, Format::Markdown, Format::Html, Format::Jsonl, Format::Csv, Format::Pdf] {
            let _ = read("file", &bytes, format);
            let _ = read("file", html.as_bytes(), format);
        }
    }
}

#[test]
fn bad_chunking_is_refused() {
    for config in [
        ChunkConfig {
            size: 0,
            overlap: 0,
            ..ChunkConfig::default()
        },
        ChunkConfig {
            size: 5,
            overlap: 5,
            ..ChunkConfig::default()
        },
    ] {
        assert!(chunk(&document("text"), &config, &count_words).is_err());
    }
    let empty = chunk(&document(" \n "), &ChunkConfig::default(), &count_words).unwrap();
    assert!(empty.is_empty());
}

#[test]
fn html_becomes_text_with_headings() {
    let html = "<!doctype html><head><title>A &amp; B</title><style>p { x: \"<p>\" }</style></head><body><h1>Top</h1>
        <p>One   <b>two</b>&nbsp;three.</p><script>if (a < b) { document.write('<p>no</p>') }</script><ul><li>x<li>y</ul>
        <table><tr><td>1</td><td>2</td></tr></table></body>";
    let documents = read("page.html", html.as_bytes(), Format::of("page.HTML")).unwrap();
    assert_eq!(documents[0].content, "# Top\n\nOne two three.\n\nx\ny\n1 2");
    assert_eq!(documents[0].metadata["title"], "A & B");
}

#[test]
fn tables_become_documents() {
    let jsonl = "{\"_id\": 7, \"text\": \"one\", \"year\": 1958}\n\n{\"content\": \"two\", \"metadata\": {\"kind\": \"b\"}}\n";
    let documents = read("d.jsonl", jsonl.as_bytes(), Format::Jsonl).unwrap();
    assert_eq!(
        (documents[0].id.as_str(), documents[1].id.as_str()),
        ("7", "d.jsonl:3")
    );
    assert_eq!(documents[0].metadata["year"], 1958);
    assert_eq!(documents[1].metadata["kind"], "b");
    let csv = "id,text,kind\n1,\"a, b\nc\",x\n2,d,y\n";
    let documents = read("d.csv", csv.as_bytes(), Format::Csv).unwrap();
    assert_eq!(documents[0].content, "a, b\nc");
    assert_eq!(documents[1].metadata["kind"], "y");
    for (bytes, format) in [
        (&b"{\"text\": 3}"[..], Format::Jsonl),
        (b"not json", Format::Jsonl),
        (b"id,kind\n1,2\n", Format::Csv),
        (b"id,text\n1\n", Format::Csv),
        (&[0xff, 0xfe], Format::Text),
        (b"no pdf", Format::Pdf),
    ] {
        let error = read("d", bytes, format).unwrap_err();
        assert!(
            error.code.is_input() && error.message.contains('d'),
            "{error}"
        );
    }
}

#[cfg(feature = "pdf")]
#[test]
fn the_text_layer_of_a_pdf_file_is_read() {
    use lopdf::content::{Content, Operation};
    use lopdf::{Document, Object, Stream, dictionary};
    let mut pdf = Document::with_version("1.5");
    let pages = pdf.new_object_id();
    let font = pdf
        .add_object(dictionary! {"Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Courier"});
    let resources = pdf.add_object(dictionary! {"Font" => dictionary! {"F1" => font}});
    let content = Content {
        operations: vec![
            Operation::new("BT", vec![]),
            Operation::new("Tf", vec!["F1".into(), 12.into()]),
            Operation::new("Td", vec![72.into(), 700.into()]),
            Operation::new("Tj", vec![Object::string_literal("The white whale")]),
            Operation::new("ET", vec![]),
        ],
    };
    let content = pdf.add_object(Stream::new(dictionary! {}, content.encode().unwrap()));
    let page = pdf.add_object(dictionary! {"Type" => "Page", "Parent" => pages, "Contents" => content, "Resources" => resources});
    pdf.objects.insert(
        pages,
        Object::Dictionary(
            dictionary! {"Type" => "Pages", "Kids" => vec![page.into()], "Count" => 1},
        ),
    );
    let catalog = pdf.add_object(dictionary! {"Type" => "Catalog", "Pages" => pages});
    pdf.trailer.set("Root", catalog);
    let mut bytes = Vec::new();
    pdf.save_to(&mut bytes).unwrap();
    let documents = read("whale.pdf", &bytes, Format::of("whale.pdf")).unwrap();
    assert_eq!(documents[0].content, "The white whale");
}

#[test]
fn a_document_of_50_megabytes_is_cut() {
    let line = "Some words of a very long document that goes on. ";
    let text = line.repeat(50_000_000 / line.len());
    let config = ChunkConfig {
        size: 200,
        overlap: 20,
        method: ChunkMethod::Sentences,
    };
    let chunks = chunk(&document(&text), &config, &count_words).unwrap();
    assert!(chunks.len() > 40_000);
    // One word of as much.
    let word = "x".repeat(50_000_000);
    let chunks = chunk(&document(&word), &config, &|text: &str| text.len() / 4).unwrap();
    assert!(chunks.len() > 50_000);
}
