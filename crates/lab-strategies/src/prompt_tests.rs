//! One base with a chat template: a prompt has the same tokens whatever it is used for.
// Learned tokens are ranges; a range is not a list of its numbers.
#![allow(clippy::single_range_in_vec_init)]

use crate::asking::generator::LabModel;
use crate::preference::data::{PreferenceData, Wanted};
use crate::run::base::Base;
use crate::run::context::TrainingData;
use crate::run::prompts::Prompt;
use crate::supervised::examples::{Examples, Reading};
use burn::tensor::Device;
use lab_model::chat::ChatMessage;
use lab_model::decoder::Decoder;
use lab_model::formats::WeightForm;
use lab_model::formats::model_folder;
use lab_model::parameters;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{ModelConfig, ModelFile, OnError, TokenizerKind, TooLong};
use lab_retrieval::{Chunk, Passage};
use pollster::block_on;
use serde_json::{Value, json};
use std::rc::Rc;

const CHATML: &str = "{{ bos_token }}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// A model of random weights whose texts begin with `<s>`, with or without the chat template.
fn base(template: Option<&str>) -> Base {
    let trained = Tokenizer::train(TokenizerKind::Bpe, 290, ["a few words of a text"]).unwrap();
    let mut json = trained.to_json();
    let first = trained.vocabulary();
    for (id, token) in (first..).zip(["<s>", "<|im_start|>", "<|im_end|>"]) {
        let added = json["added_tokens"].as_array_mut().unwrap();
        added.push(json!({"id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true}));
    }
    let tokenizer = Tokenizer::from_json(&json).unwrap();
    let shape = ModelConfig {
        layers: 1,
        heads: 2,
        width: 8,
        context: 96,
        ..Default::default()
    };
    let device = Device::flex();
    let model = Decoder::new(&shape, tokenizer.vocabulary(), 1, &device);
    let weights = block_on(parameters::to_host(&model)).unwrap();
    let mut files = model_folder(&shape, &tokenizer, &weights).unwrap();
    files.retain(|file| file.path != "generation_config.json");
    for file in &mut files {
        match file.path.as_str() {
            "tokenizer_config.json" => {
                let config = json!({"chat_template": template, "bos_token": "<s>", "add_bos_token": true,
                    "eos_token": "<|im_end|>"});
                file.bytes = config.to_string().into_bytes();
            }
            "config.json" => {
                let mut config: Value = serde_json::from_slice(&file.bytes).unwrap();
                config["eos_token_id"] = json!(tokenizer.id_of("<|im_end|>"));
                file.bytes = config.to_string().into_bytes();
            }
            _ => {}
        }
    }
    let files: Vec<ModelFile> = files
        .into_iter()
        .map(|file| ModelFile {
            path: format!("model/{}", file.path),
            ..file
        })
        .collect();
    block_on(Base::read(files.into(), WeightForm::Floats, &device)).unwrap()
}

fn data(rows: &[Value]) -> TrainingData {
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    TrainingData {
        text: lines.join("\n"),
        ..Default::default()
    }
}

fn wanted<'a>(base: &'a Base, pairs: bool) -> Wanted<'a> {
    Wanted {
        pairs,
        collected: &[],
        on_error: OnError::Stop,
        response_tokens: 4,
        ends: base.ends(),
        seed: 1,
    }
}

const READING: Reading = Reading {
    too_long: TooLong::Error,
    on_error: OnError::Stop,
    seed: 1,
};

#[test]
fn every_stage_gives_the_model_the_same_prompt() {
    for template in [Some(CHATML), None] {
        let base = Rc::new(base(template));
        let message = |role: &str, content: &str| json!({"role": role, "content": content});
        let asked = [message("system", "of"), message("user", "a few")];
        let said = |text: &str| message("assistant", text);
        let messages = vec![ChatMessage::new("system", "of"), ChatMessage::user("a few")];
        let prompt = base.format().prompt(&messages).unwrap();
        let text = base.tokenizer.decode(&prompt);
        assert_eq!(
            text,
            match template {
                Some(_) =>
                    "<s><|im_start|>system\nof<|im_end|>\n<|im_start|>user\na few<|im_end|>\n<|im_start|>assistant\n",
                None => "<s>of\na few\n",
            }
        );

        // Fine-tuning, on a conversation and on a prompt with its response.
        let [system, user] = asked.clone();
        for row in [
            json!({"messages": [system, user, said("words")]}),
            json!({"prompt": asked, "completion": [said("words")]}),
            json!({"prompt": "a few", "system": "of", "completion": "words"}),
        ] {
            let examples = Examples::new(&data(&[row]), &base, READING).unwrap();
            let example = &examples.training[0];
            assert!(example.tokens.starts_with(&prompt));
            assert_eq!(example.learned, [prompt.len()..example.tokens.len()]);
            let answer = base.tokenizer.decode(&example.tokens[prompt.len()..]);
            assert_eq!(answer, "words<|im_end|>");
        }
        // A pair, which the reward model reads too, and the prompts that are answered.
        let row = json!({"prompt": asked, "chosen": [said("words")], "rejected": [said("text")]});
        let pairs = PreferenceData::new(&data(&[row]), &base, wanted(&base, true)).unwrap();
        let pair = &pairs.training[0];
        for (sequence, answer) in [
            (&pair.chosen, "words<|im_end|>"),
            (&pair.rejected, "text<|im_end|>"),
        ] {
            assert_eq!(sequence.prompt, prompt);
            assert_eq!(base.tokenizer.decode(&sequence.response), answer);
        }
        let row = json!({"prompt": asked});
        let prompts = PreferenceData::new(&data(&[row]), &base, wanted(&base, false)).unwrap();
        for found in [&pairs.prompts[0], &prompts.prompts[0]] {
            assert_eq!(found.tokens, prompt);
            assert_eq!(found.text, "of\na few\n");
        }
        // Asking and scoring.
        let tokens = |prompt: Prompt| prompt.tokens(&base.format()).unwrap();
        assert_eq!(tokens(Prompt::chat(messages)), prompt);
        let question = tokens(Prompt::question("of\na few"));
        let village = Prompt::Chat {
            messages: vec![ChatMessage::user("a few")],
            passages: vec!["of".into()],
        };
        assert_eq!(tokens(village), question);
        // Retrieval: the passage, then the question.
        let chunk = Chunk {
            document: "d".into(),
            number: 0,
            start: 0,
            end: 2,
            text: "of".into(),
            headings: Vec::new(),
        };
        let passage = Passage {
            chunk,
            score: 1.0,
            metadata: Default::default(),
        };
        let generator = LabModel {
            base: base.clone(),
            max_tokens: 1,
            template: String::new(),
        };
        assert_eq!(tokens(generator.prompt("a few", &[passage])), question);
        // The token that texts begin with stands once.
        let begin = base.tokenizer.begin_of_text().unwrap();
        for tokens in [&prompt, &question] {
            assert_eq!(tokens[0], begin);
            assert!(!tokens[1..].contains(&begin));
        }
    }
}

#[test]
fn a_conversation_is_learned_turn_by_turn() {
    let base = base(Some(CHATML));
    let turns = [
        ("user", "a"),
        ("assistant", "few"),
        ("user", "words"),
        ("assistant", "text"),
    ];
    let messages: Vec<Value> = turns
        .iter()
        .map(|(role, content)| json!({"role": role, "content": content}))
        .collect();
    let examples = Examples::new(&data(&[json!({"messages": messages})]), &base, READING).unwrap();
    assert_eq!((examples.training.len(), examples.taken_apart), (1, 0));
    let learned: Vec<String> = examples.training[0]
        .learned
        .iter()
        .map(|span| {
            base.tokenizer
                .decode(&examples.training[0].tokens[span.clone()])
        })
        .collect();
    assert_eq!(learned, ["few<|im_end|>", "text<|im_end|>"]);
}

#[test]
fn rows_are_held_out_by_the_seed_and_no_prompt_is_on_both_sides() {
    let base = base(None);
    let words = ["a", "few", "words", "of", "text"];
    let prompts: Vec<String> = words
        .iter()
        .flat_map(|first| words.iter().map(move |second| format!("{first} {second}")))
        .collect();
    let twice = prompts.iter().chain(&prompts);
    let rows: Vec<Value> = twice
        .enumerate()
        .map(|(number, prompt)| json!({"prompt": prompt, "response": "a", "chosen": words[number % 5], "rejected": "b"}))
        .collect();
    let of = |seed: u64| {
        let data = TrainingData {
            validation_fraction: 0.2,
            ..data(&rows)
        };
        let examples = Examples::new(&data, &base, Reading { seed, ..READING }).unwrap();
        let wanted = Wanted {
            seed,
            ..wanted(&base, true)
        };
        (examples, PreferenceData::new(&data, &base, wanted).unwrap())
    };
    let (examples, pairs) = of(1);
    assert_eq!(
        (examples.training.len(), examples.validation.len()),
        (40, 10)
    );
    assert_eq!((pairs.training.len(), pairs.held_out.len()), (40, 10));
    assert_eq!((pairs.prompts.len(), pairs.held_out_prompts.len()), (20, 5));
    let prompt = |example: &lab_model::examples::Example| {
        example.tokens[..example.learned[0].start].to_vec()
    };
    let trained: Vec<Vec<u32>> = examples.training.iter().map(prompt).collect();
    assert!(
        !examples
            .validation
            .iter()
            .any(|example| trained.contains(&prompt(example)))
    );
    let trained: Vec<&Vec<u32>> = pairs
        .training
        .iter()
        .map(|pair| &pair.chosen.prompt)
        .collect();
    assert!(
        !pairs
            .held_out
            .iter()
            .any(|pair| trained.contains(&&pair.chosen.prompt))
    );
    assert!(
        pairs
            .held_out_prompts
            .iter()
            .all(|prompt| !trained.contains(&&prompt.tokens))
    );
    assert_eq!(of(1).0.validation, examples.validation);
    assert_ne!(of(2).0.validation, examples.validation);
}

#[test]
fn bad_rows_are_skipped_and_reported_by_every_reader() {
    let base = base(None);
    let good = json!({"prompt": "a", "response": "few", "chosen": "few", "rejected": "words"});
    let bad = json!({"prompt": 7, "response": "few", "chosen": "few", "rejected": "words"});
    let data = data(&[good.clone(), bad, good]);
    let says = |message: &str| {
        assert!(
            message.contains("row 2: its prompt is a number"),
            "{message}"
        )
    };
    says(&Examples::new(&data, &base, READING).err().unwrap().message);
    for pairs in [true, false] {
        let error = PreferenceData::new(&data, &base, wanted(&base, pairs)).err();
        says(&error.unwrap().message);
        let skip = Wanted {
            on_error: OnError::Skip,
            ..wanted(&base, pairs)
        };
        let found = PreferenceData::new(&data, &base, skip).unwrap();
        assert_eq!(found.skipped.report().unwrap().count, 1);
        says(&found.left_out().unwrap());
    }
    let skip = Reading {
        on_error: OnError::Skip,
        ..READING
    };
    let examples = Examples::new(&data, &base, skip).unwrap();
    assert_eq!(examples.training.len(), 2);
    says(&examples.warnings(96)[0]);
}
