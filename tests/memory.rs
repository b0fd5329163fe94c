//! What is in memory while a base is read and trained on: its weights once, in the form in which they stay.
//! The allocator of this program counts.

use lab_model::burn::tensor::Device;
use lab_model::decoder::Decoder;
use lab_model::formats::{ModelReader, Subfolder, WeightForm, model_folder};
use lab_model::parameters;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{BackendChoice, ModelConfig, ModelFile};
use lab_strategies::device;
use pollster::block_on;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

fn shape() -> ModelConfig {
    ModelConfig {
        layers: 6,
        width: 120,
        hidden_width: 312,
        heads: 4,
        context: 24,
        ..Default::default()
    }
}

/// Counts the bytes that are in use.
struct Counting;

static BYTES: Count = Count::new();

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

    /// The most that was added beside what was there, while `work` is done.
    fn peak_of<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
        let before = self.now.load(Relaxed);
        self.peak.store(before, Relaxed);
        let made = work();
        let added = self.peak.load(Relaxed) - before;
        (made, usize::try_from(added).unwrap())
    }
}

// SAFETY: the system's allocator does the work; counting takes no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.add(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.add(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What is counted belongs to the whole program, so that one test must not see another's.
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
    // Its own bytes, one matrix on its way, and what the tables of contents take.
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
