//! Fuzzing without a nightly compiler: the golden files, changed at random, go to the targets of `fuzz/`. A few
//! thousand changes in every test run; for longer: `LAB_FUZZ_MINUTES=10 cargo test -p lab-tests --test fuzz -- --ignored`.
//! An input that fails is written to the folder for temporary files.

#[path = "../fuzz/targets.rs"]
mod targets;

use serde_json::{Value, json};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Counts the allocated bytes of this thread, and their maximum.
struct Counting;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let _ = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now.get())));
    });
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Maximum number of bytes that a reader may take: its own copies of the input, the decoded numbers (eight times the
/// smallest encoding), trees of JSON (some dozens of times its text), compiled patterns.
fn allowed(length: usize) -> isize {
    (4 << 20) + 64 * length as isize
}

/// SplitMix64 (Steele et al. 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

const NUMBERS: [u64; 12] = [
    0,
    1,
    2,
    7,
    32,
    255,
    1 << 16,
    1 << 31,
    u32::MAX as u64,
    1 << 40,
    i64::MAX as u64,
    u64::MAX,
];

/// Bytes changed, cut out, doubled, or replaced by numbers that are likely to be wrong; mostly near the front, where
/// the tables are.
fn change_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        let reach = if random.below(4) == 0 {
            bytes.len()
        } else {
            bytes.len().min(4096)
        };
        let place = random.below(reach);
        match random.below(6) {
            0 => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << random.below(8);
                }
            }
            1 => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = random.next() as u8;
                }
            }
            2 | 3 => {
                let number = NUMBERS[random.below(NUMBERS.len())].to_le_bytes();
                let length = [4, 8][random.below(2)];
                for (byte, new) in bytes.iter_mut().skip(place).zip(&number[..length]) {
                    *byte = *new;
                }
            }
            4 => {
                let end = bytes.len().min(place + random.below(64));
                bytes.drain(place..end);
            }
            _ => {
                let end = bytes.len().min(place + random.below(64));
                let again = bytes[place..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, again);
            }
        }
    }
}

/// Some value in a tree replaced, removed, or put elsewhere.
fn change_json(value: &mut Value, random: &mut Random) {
    let descend = random.below(8) != 0;
    match value {
        Value::Object(map) if descend && !map.is_empty() => {
            let key = map
                .keys()
                .nth(random.below(map.len()))
                .cloned()
                .unwrap_or_default();
            match random.below(10) {
                0 => drop(map.remove(&key)),
                1 => {
                    let moved = map.remove(&key).unwrap_or_default();
                    map.insert(format!("{key}{}", random.below(3)), moved);
                }
                _ => {
                    if let Some(inner) = map.get_mut(&key) {
                        change_json(inner, random);
                    }
                }
            }
        }
        Value::Array(list) if descend && !list.is_empty() => {
            let place = random.below(list.len());
            match random.below(6) {
                0 => drop(list.remove(place)),
                1 => list.push(list[place].clone()),
                _ => change_json(&mut list[place], random),
            }
        }
        Value::String(text) if descend => {
            let mut characters: Vec<char> = text.chars().collect();
            let place = random.below(characters.len());
            match random.below(4) {
                0 if !characters.is_empty() => drop(characters.remove(place)),
                1 => characters.insert(place, '\u{1F980}'),
                2 => characters.insert(
                    place,
                    ['(', '*', '\\', '[', '{', '\0', 'Ġ'][random.below(7)],
                ),
                _ => characters.extend(characters.clone()),
            }
            *text = characters.into_iter().take(4096).collect();
        }
        other => {
            let number = NUMBERS[random.below(NUMBERS.len())];
            *other = match random.below(10) {
                0 => Value::Null,
                1 => json!(true),
                2 => json!(""),
                3 => json!([]),
                4 => json!({}),
                5 => json!(-1),
                6 => json!(1e300),
                7 => json!("ByteLevel"),
                _ => json!(number),
            };
        }
    }
}

fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name);
    std::fs::read(path).unwrap()
}

struct Target {
    name: &'static str,
    run: fn(&[u8]),
    seeds: Vec<Vec<u8>>,
    is_json: bool,
}

fn target(name: &str) -> Target {
    match name {
        "safetensors" => Target {
            name: "safetensors",
            run: targets::safetensors,
            seeds: vec![
                golden("llama-tiny/model.safetensors"),
                golden("gpt2-tiny/model.safetensors"),
                golden("llama-variant/model-00002-of-00003.safetensors"),
            ],
            is_json: false,
        },
        "gguf" => Target {
            name: "gguf",
            run: targets::gguf,
            seeds: vec![golden("gguf/tiny-llama.gguf")],
            is_json: false,
        },
        "tokenizer" => Target {
            name: "tokenizer",
            run: targets::tokenizer,
            seeds: tokenizers(),
            is_json: true,
        },
        _ => Target {
            name: "config",
            run: targets::config,
            seeds: vec![
                golden("llama-tiny/config.json"),
                golden("gpt2-tiny/config.json"),
                golden("llama-variant/config.json"),
            ],
            is_json: true,
        },
    }
}

/// Tokenizers of several makes, with the parts that published ones have.
fn tokenizers() -> Vec<Vec<u8>> {
    use lab_model::tokenizer::Tokenizer;
    use lab_protocol::TokenizerKind;
    let text = "the cat sat on the mat, and the cat sat again";
    let of = |kind| Tokenizer::train(kind, 280, [text]).unwrap().to_json();
    let mut bpe = of(TokenizerKind::Bpe);
    let mut seeds = vec![
        of(TokenizerKind::Byte),
        of(TokenizerKind::Character),
        bpe.clone(),
    ];
    bpe["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": true},
        {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}| ?\\p{L}+|\\s+(?!\\S)"}, "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": false}]});
    bpe["normalizer"] = json!({"type": "Sequence", "normalizers": [
        {"type": "NFC"}, {"type": "Replace", "pattern": {"String": "a"}, "content": "b"}, {"type": "Prepend", "prepend": "\u{2581}"}]});
    bpe["truncation"] =
        json!({"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0});
    bpe["post_processor"] = json!({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [], "special_tokens": {}});
    seeds.push(bpe);
    seeds.push(json!({"version": "1.0", "added_tokens": [], "model": {"type": "Unigram", "unk_id": 0,
        "vocab": [["<unk>", 0.0], ["\u{2581}the", -1.0], ["a", -2.0]], "byte_fallback": false},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true},
        "decoder": {"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true}}));
    seeds.push(json!({"version": "1.0", "added_tokens": [], "model": {"type": "WordPiece", "unk_token": "[UNK]",
        "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "the": 1, "##t": 2}},
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true}}));
    seeds
        .into_iter()
        .map(|seed| seed.to_string().into_bytes())
        .collect()
}

/// Runs a target until `done` says so; gives the number of executions.
fn fuzz(name: &str, seed: u64, done: impl Fn(u64) -> bool) -> u64 {
    let target = target(name);
    let mut random = Random(seed);
    let (mut executions, mut slowest, mut peak) = (0, Duration::ZERO, 0);
    while !done(executions) {
        let mut input = target.seeds[random.below(target.seeds.len())].clone();
        // The first runs use the seeds unchanged.
        if executions >= target.seeds.len() as u64 {
            if target.is_json && random.below(8) != 0 {
                let mut value: Value = serde_json::from_slice(&input).unwrap();
                for _ in 0..1 + random.below(3) {
                    change_json(&mut value, &mut random);
                }
                input = value.to_string().into_bytes();
            } else {
                change_bytes(&mut input, &mut random);
            }
        }
        // On a thread of its own: a library's caches of a thread end with it.
        let start = Instant::now();
        let taken = std::thread::scope(|scope| {
            let run = || {
                let before = NOW.get();
                PEAK.set(before);
                (target.run)(&input);
                PEAK.get() - before
            };
            scope.spawn(run).join()
        });
        slowest = slowest.max(start.elapsed());
        if !matches!(taken, Ok(bytes) if bytes <= allowed(input.len())) {
            let path = std::env::temp_dir().join(format!("fuzz-{}-{executions}", target.name));
            std::fs::write(&path, &input).unwrap();
            panic!(
                "{}: after {executions} executions, {taken:?} bytes taken; the input is {}",
                target.name,
                path.display()
            );
        }
        peak = peak.max(taken.unwrap_or(0));
        executions += 1;
    }
    println!(
        "{}: {executions} executions, at most {peak} bytes and {slowest:?}",
        target.name
    );
    executions
}

const TARGETS: [&str; 4] = ["safetensors", "gguf", "tokenizer", "config"];

#[test]
fn readers_stand_some_thousand_changed_files() {
    for (name, executions) in TARGETS.into_iter().zip([600, 600, 1_500, 4_000]) {
        fuzz(name, 1, |done| done >= executions);
    }
}

/// All targets for `LAB_FUZZ_MINUTES` each, or the one that `LAB_FUZZ_TARGET` names.
#[test]
#[ignore = "takes as long as it is told"]
fn readers_stand_changed_files_for_minutes() {
    let minutes = std::env::var("LAB_FUZZ_MINUTES").map_or(1.0, |text| text.parse().unwrap());
    let only = std::env::var("LAB_FUZZ_TARGET").ok();
    let named = |name: &&&str| only.as_deref().is_none_or(|only| only == **name);
    for name in TARGETS.iter().filter(named) {
        let start = Instant::now();
        let end = Duration::from_secs_f64(60.0 * minutes);
        let seed = start.elapsed().as_nanos() as u64 ^ u64::from(std::process::id());
        fuzz(name, seed, |_| start.elapsed() >= end);
    }
}
