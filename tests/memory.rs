//! While a base is read and trained on, its weights are in memory once, in the form in which they stay.
//! The allocator of this program counts.

use lab_model::burn::tensor::Device;
use lab_model::decoder::Decoder;
use lab_model::formats::{ModelReader, Subfolder, WeightForm, model_folder};
use lab_model::parameters;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{BackendChoice, ErrorCode, ExperimentConfig, ModelConfig, ModelFile};
use lab_strategies::device;
use lab_tests::{TestHost, run_from};
use pollster::block_on;
use serde_json::{Value, json};
use std::alloc::{GlobalAlloc, Layout, System};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

const LAYERS: usize = 6;

/// Bytes of the f32 matrices of a block, in a shape in which nothing else has these sizes.
const MATRICES: [usize; 3] = [4 * 120 * 360, 4 * 120 * 120, 4 * 120 * 312];

fn shape() -> ModelConfig {
    ModelConfig {
        layers: LAYERS,
        width: 120,
        hidden_width: 312,
        heads: 4,
        context: 24,
        ..Default::default()
    }
}

/// Counts the bytes that are in use, and the pieces of the sizes of [`MATRICES`].
struct Counting;

static BYTES: Count = Count::new();
static PIECES: [Count; 3] = [const { Count::new() }; 3];

struct Count {
    now: AtomicIsize,
    peak: AtomicIsize,
}

impl Count {
    const fn new() -> Self {
        Self {
            now: AtomicIsize::new(0),
            peak: AtomicIsize::new(0),
        }
    }

    fn add(&self, change: isize) {
        let now = self.now.fetch_add(change, Relaxed) + change;
        self.peak.fetch_max(now, Relaxed);
    }

    /// The peak of the memory that `work` adds.
    fn peak_of<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
        let before = self.now.load(Relaxed);
        self.peak.store(before, Relaxed);
        let made = work();
        let added = self.peak.load(Relaxed) - before;
        (made, usize::try_from(added).unwrap())
    }
}

fn count(size: usize, sign: isize) {
    BYTES.add(sign * size as isize);
    if let Some(place) = MATRICES.iter().position(|matrix| *matrix == size) {
        PIECES[place].add(sign);
    }
}

// SAFETY: the system's allocator does the work; counting takes no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The counters belong to the whole program, so one test must not run beside another.
static ALONE: Mutex<()> = Mutex::new(());

fn open_device() -> Device {
    block_on(device::open(BackendChoice::Cpu)).unwrap()
}

/// A model with weights at random, as the files of a run.
fn base(device: &Device) -> Vec<ModelFile> {
    let model = Decoder::new(&shape(), 256, 3, device);
    let weights = block_on(parameters::to_host(&model)).unwrap();
    let files = model_folder(&shape(), &Tokenizer::Byte, &weights).unwrap();
    let in_model = |file: ModelFile| ModelFile {
        path: format!("model/{}", file.path),
        ..file
    };
    files.into_iter().map(in_model).collect()
}

fn read(files: &[ModelFile], form: WeightForm, device: &Device) -> Decoder {
    let files = Subfolder {
        files,
        folder: "model/",
    };
    let reader = ModelReader::open(&files).unwrap();
    block_on(reader.decoder(form, None, device)).unwrap()
}

#[test]
fn a_base_is_in_memory_once_while_it_is_read() {
    let _alone = ALONE.lock().unwrap_or_else(|lock| lock.into_inner());
    let device = open_device();
    let files = base(&device);
    let (floats, peak) = BYTES.peak_of(|| read(&files, WeightForm::Floats, &device));
    let weights = floats.weight_bytes();
    // Its own bytes, one matrix in transit, and the tables of contents.
    assert!(peak < weights + weights / 3, "{peak} of {weights} bytes");
    drop(floats);
    let (quantized, peak) = BYTES.peak_of(|| read(&files, WeightForm::Nf4, &device));
    assert!(peak < weights * 2 / 3, "{peak} of {weights} bytes");
    assert!(quantized.weight_bytes() * 2 < weights);
}

#[test]
fn a_base_that_is_read_into_4_bits_is_the_one_that_is_quantised_afterwards() {
    let _alone = ALONE.lock().unwrap_or_else(|lock| lock.into_inner());
    let device = open_device();
    let files = base(&device);
    let floats = read(&files, WeightForm::Floats, &device);
    let expected = block_on(floats.quantized(&device)).unwrap();
    let found = read(&files, WeightForm::Nf4, &device);
    assert_eq!(found.weight_bytes(), expected.weight_bytes());
    assert!(parameters::trainable_shapes(&found).is_empty());
    let logits = |model: &Decoder| {
        let logits = model.sequence_logits(&[1, 2, 3, 200]).unwrap();
        block_on(parameters::read(vec![logits])).unwrap()
    };
    assert_eq!(logits(&found), logits(&expected));
}

/// The maximum number of matrices of floats that are in memory at once in a run, of each size.
fn matrices_in_a_run(method: &str) -> [usize; 3] {
    let files = base(&open_device());
    let rows: String = (0..40)
        .map(|i| json!({"prompt": format!("{i}+1="), "response": format!("{}\n", i + 1)}))
        .map(|row| format!("{row}\n"))
        .collect();
    let experiment = lab_protocol::from_value(json!({
        "name": "test", "seed": 7, "data": {"source": "user", "name": "t"},
        "strategies": [
            {"name": "it", "strategy": "fine_tuning", "from": "base", "config": {
                "method": method, "lora": {"rank": 2},
                "training": {"steps": 2, "batch_size": 2, "warmup_steps": 0, "evaluation_interval": 1,
                    "sample_interval": 1, "sample_tokens": 2, "checkpoint_interval": 1}
            }},
            {"name": "base", "strategy": "pretraining"}
        ]
    }))
    .unwrap();
    let before = PIECES.each_ref().map(|pieces| pieces.now.load(Relaxed));
    for (pieces, before) in PIECES.iter().zip(before) {
        pieces.peak.store(before, Relaxed);
    }
    let host = Rc::new(TestHost::default());
    run_from(&experiment, &rows, files, host, None).unwrap();
    std::array::from_fn(|place| {
        let added = PIECES[place].peak.load(Relaxed) - before[place];
        usize::try_from(added).unwrap()
    })
}

#[test]
fn a_run_on_4_bits_never_holds_the_floats_of_the_base() {
    let _alone = ALONE.lock().unwrap_or_else(|lock| lock.into_inner());
    // One is on its way into 4 bits, or expanded for a product, with a copy in another order.
    for (found, size) in matrices_in_a_run("qlora").into_iter().zip(MATRICES) {
        assert!(found < LAYERS, "{found} matrices of {size} bytes");
    }
    // They are counted if they are needed.
    for (found, size) in matrices_in_a_run("lora").into_iter().zip(MATRICES) {
        assert!(found >= LAYERS, "{found} matrices of {size} bytes");
    }
}

/// A strategy that starts from [`base`], on `data`, by `config`.
fn start(strategy: &str, config: Value) -> (ExperimentConfig, String) {
    let preference =
        |i| json!({"prompt": format!("{i}+1="), "chosen": format!("{i}"), "rejected": "no"});
    let example = |i| json!({"prompt": format!("{i}+1="), "response": format!("{i}\n")});
    let rows = (0..40).map(|i| match strategy {
        "fine_tuning" => example(i),
        _ => preference(i),
    });
    let text = match strategy {
        "pretraining" => "to learn from, again and again\n".repeat(40),
        _ => rows.map(|row| format!("{row}\n")).collect(),
    };
    let mut tested = json!({"name": "it", "strategy": strategy, "config": config});
    if strategy != "pretraining" {
        tested["from"] = "base".into();
    }
    let experiment = lab_protocol::from_value(json!({
        "name": "test", "seed": 7, "data": {"source": "user", "name": "t"},
        "strategies": [tested, {"name": "base", "strategy": "pretraining"}]
    }));
    (experiment.unwrap(), text)
}

/// The run's own estimate of its memory, when there is room for its base alone.
fn estimated(experiment: &ExperimentConfig, text: &str, base: Vec<ModelFile>) -> usize {
    let host = Rc::new(TestHost::default());
    host.memory.set(Some(10_000_000));
    let error = run_from(experiment, text, base, host, None).unwrap_err();
    assert_eq!(error.code, ErrorCode::OutOfMemory, "{error}");
    let words = error.message.template().unwrap();
    let needed = words.arguments["needed"].strip_suffix(" MB").unwrap();
    needed.parse::<usize>().unwrap() * 1_000_000
}

#[test]
fn every_strategy_says_what_it_needs_before_it_takes_it() {
    let _alone = ALONE.lock().unwrap_or_else(|lock| lock.into_inner());
    let training = json!({"steps": 2, "batch_size": 16, "warmup_steps": 0, "evaluation_interval": 1,
        "sample_tokens": 0, "checkpoint_interval": 0});
    let report = json!({"evaluation_prompts": 4, "samples": 0, "checkpoint_interval": 0});
    let rollout = json!({"response_tokens": 8});
    let model = serde_json::to_value(shape()).unwrap();
    let tune = |method| json!({"method": method, "lora": {"rank": 4}, "training": training});
    let reward_model = json!({"steps": 2, "batch_size": 16, "normalisation_samples": 8});
    let pattern = json!({"kind": "pattern", "pattern": "1"});
    let cases = [
        (
            "pretraining",
            json!({"model": model, "tokenizer": "byte", "training": training}),
        ),
        ("fine_tuning", tune("full")),
        ("fine_tuning", tune("lora")),
        ("fine_tuning", tune("qlora")),
        (
            "dpo",
            json!({"steps": 2, "batch_size": 16, "report": report, "rollout": rollout}),
        ),
        (
            "dpo",
            json!({"steps": 2, "batch_size": 16, "report": report, "rollout": rollout, "lora": {"rank": 4}}),
        ),
        (
            "rlhf",
            json!({"ppo": {"steps": 2, "batch_size": 16, "minibatches": 1}, "reward_model": reward_model,
                "report": report, "rollout": rollout}),
        ),
        (
            "grpo",
            json!({"steps": 2, "prompts": 4, "group": 4, "reward": pattern, "report": report,
                "rollout": rollout}),
        ),
    ];
    let files = base(&open_device());
    for (strategy, config) in cases {
        let (experiment, text) = start(strategy, config.clone());
        let given = match strategy {
            "pretraining" => Vec::new(),
            _ => files.clone(),
        };
        let needed = estimated(&experiment, &text, given.clone());
        let beside: usize = given.iter().map(|file| file.bytes.len()).sum();
        let host = Rc::new(TestHost::default());
        let (made, peak) = BYTES.peak_of(|| run_from(&experiment, &text, given, host, None));
        made.unwrap_or_else(|error| panic!("{strategy}: {error}"));
        let ratio = needed as f64 / (peak + beside) as f64;
        assert!(
            (0.8..1.8).contains(&ratio),
            "{strategy} {config}: {ratio:.2}"
        );
    }
}
