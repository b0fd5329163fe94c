//! The invariants of low-rank adapters and of bases in 4 bits, over random shapes.

use lab_model::adapter::Adapter;
use lab_model::burn::tensor::{Device, Int, Tensor, TensorData};
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::evaluate::MicroBatch;
use lab_model::examples::{Example, ExampleBatch};
use lab_model::formats::{adapter_folder, read_adapter};
use lab_model::optimizer::AdamW;
use lab_model::parameters;
use lab_protocol::{
    Activation, BackendChoice, LoraConfig, ModelConfig, Norm, Position, TrainingConfig,
};
use pollster::block_on;
use proptest::prelude::*;

const VOCABULARY: usize = 23;

fn device() -> Device {
    block_on(lab_strategies::device::open(BackendChoice::Cpu)).unwrap()
}

/// GPT-2's, Llama's and a shape that is neither's.
fn shapes() -> impl Strategy<Value = ModelConfig> {
    (1usize..3, 0usize..3, 0usize..3, any::<bool>()).prop_map(|(layers, family, size, bias)| {
        let (norm, position, activation) = match family {
            0 => (Norm::LayerNorm, Position::Learned, Activation::GeluNew),
            1 => (Norm::RmsNorm, Position::Rope, Activation::Swiglu),
            _ => (Norm::LayerNorm, Position::Rope, Activation::Relu),
        };
        ModelConfig {
            layers,
            heads: 4,
            key_value_heads: if family == 1 { 2 } else { 0 },
            width: [8, 24, 40][size],
            context: 16,
            norm,
            position,
            activation,
            bias,
            ..Default::default()
        }
    })
}

fn loras() -> impl Strategy<Value = LoraConfig> {
    (1usize..5, 1.0f64..20.0, any::<bool>(), any::<bool>()).prop_map(
        |(rank, alpha, rslora, dora)| LoraConfig {
            rank,
            alpha,
            rslora,
            dora,
            ..Default::default()
        },
    )
}

fn logits(model: &Decoder, device: &Device) -> Vec<f32> {
    let ids: Vec<i32> = (0..24).map(|i| (i * i + 3) % VOCABULARY as i32).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [2, 12]), &device.clone().inner());
    let logits = model.forward(ids, &mut Dropout::off());
    let count = logits.dims().iter().product::<usize>();
    block_on(parameters::read(vec![logits.reshape([count])]))
        .unwrap()
        .remove(0)
}

fn examples(seed: u32) -> Vec<Example> {
    (0..5u32)
        .map(|i| {
            let token = |j: u32| (seed + 7 * i + 3 * j * j) % VOCABULARY as u32;
            let prompt = (0..1 + (seed + i) % 6).map(token).collect();
            let completion = (9..9 + (seed / 3 + 2 * i) % 7).map(token).collect();
            Example::new(prompt, completion, 0)
        })
        .collect()
}

/// A few large steps, so B is no longer 0; small steps for an adapter that is scaled up, because it would overshoot.
fn train(
    mut model: Decoder,
    lora: &LoraConfig,
    batch: &ExampleBatch,
    steps: usize,
    device: &Device,
) -> (Decoder, Vec<f64>) {
    let rate = 2e-2 / lora.scale(lora.rank, lora.alpha).max(1.0);
    let training = TrainingConfig::default();
    let mut optimizer = AdamW::new(&training, &model, device);
    let mut losses = Vec::new();
    for _ in 0..steps {
        let sums = batch.sums(&model, device, &mut Dropout::off());
        let loss = sums.nll / batch.tokens() as f32;
        let gradients = parameters::gradients(&model, &mut loss.backward());
        let (updated, _) = optimizer.update(model, gradients, rate);
        model = updated;
        losses.push(f64::from(
            block_on(parameters::read(vec![loss])).unwrap()[0][0],
        ));
    }
    (model, losses)
}

fn far(a: &[f32], b: &[f32]) -> f32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

fn adapter_of(model: &Decoder, config: &LoraConfig) -> Adapter {
    block_on(model.adapter(config)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn an_adapter_keeps_its_invariants(shape in shapes(), lora in loras(), seed in 0u64..1000) {
        let device = device();
        let base = Decoder::new(&shape, VOCABULARY, seed, &device);
        let before = logits(&base, &device);
        let model = base.clone().with_new_adapter(&shape, &lora, seed, &device).unwrap();
        // B is 0: nothing has changed, to the bit.
        prop_assert_eq!(&logits(&model, &device), &before);
        // Only the adapter is trained.
        let trained: Vec<String> = parameters::trainable_shapes(&model).into_iter().map(|(name, _)| name).collect();
        prop_assert!(trained.iter().all(|name| name.contains(".adapters.")), "{:?}", trained);
        let list = examples(seed as u32);
        let batch = ExampleBatch::rows(&list.iter().collect::<Vec<_>>(), shape.context);
        let (model, losses) = train(model, &lora, &batch, 4, &device);
        prop_assert!(losses[3] < losses[0], "{:?}", losses);
        let after = logits(&model, &device);
        prop_assert!(far(&after, &before) > 1e-4);
        // Off, the base is back; on again, the adapter.
        let adapter = adapter_of(&model, &lora);
        let off = model.clone().without_adapter();
        prop_assert_eq!(&logits(&off, &device), &before);
        let on = off.with_adapter(&shape, &adapter, &device).unwrap();
        prop_assert_eq!(&logits(&on, &device), &after);
        // Merged it says the same, and unmerged the base.
        let merged = model.clone().merged();
        prop_assert!(!merged.has_adapter());
        prop_assert!(far(&logits(&merged, &device), &after) <= 1e-4);
        if !lora.dora {
            let back = merged.unmerged(&shape, &adapter, &device).unwrap();
            prop_assert!(far(&logits(&back, &device), &after) <= 1e-4);
            prop_assert!(far(&logits(&back.without_adapter(), &device), &before) <= 1e-4);
        }
        // Saved and read, it says the same.
        let files = adapter_folder(&shape, &adapter).unwrap();
        let read = read_adapter(&shape, &files).unwrap();
        let again = base.with_adapter(&shape, &read, &device).unwrap();
        prop_assert_eq!(&logits(&again, &device), &after);
    }

    #[test]
    fn a_base_in_4_bits_is_its_dequantised_self(shape in shapes(), lora in loras(), seed in 0u64..1000) {
        let device = device();
        let base = Decoder::new(&shape, VOCABULARY, seed, &device);
        let quantized = block_on(base.clone().quantized(&device)).unwrap();
        prop_assert_eq!(quantized.parameter_count(), base.parameter_count());
        // `merged` of a model without adapter leaves it; the floats come from `dequantized`.
        let floats = quantized.clone().dequantized();
        prop_assert!(far(&logits(&quantized, &device), &logits(&floats, &device)) <= 1e-5);
        let list = examples(seed as u32);
        let batch = ExampleBatch::rows(&list.iter().collect::<Vec<_>>(), shape.context);
        let with = |model: Decoder| model.with_new_adapter(&shape, &lora, seed, &device).unwrap();
        let (four_bits, losses) = train(with(quantized), &lora, &batch, 3, &device);
        let (float, expected) = train(with(floats), &lora, &batch, 3, &device);
        for (a, b) in losses.iter().zip(&expected) {
            prop_assert!((a - b).abs() <= 1e-3 * b.abs(), "{:?} {:?}", losses, expected);
        }
        prop_assert!(far(&logits(&four_bits.clone().merged(), &device), &logits(&four_bits, &device)) <= 1e-4);
        prop_assert!(far(&logits(&four_bits, &device), &logits(&float, &device)) <= 2e-2);
    }

    #[test]
    fn packed_examples_do_not_see_each_other(shape in shapes(), seed in 0u32..1000) {
        let device = device();
        let model = Decoder::new(&shape, VOCABULARY, u64::from(seed), &device);
        let list = examples(seed);
        let refs: Vec<&Example> = list.iter().collect();
        let nll = |batch: &ExampleBatch| {
            let sums = batch.sums(&model, &device, &mut Dropout::off());
            let gradients = parameters::gradients(&model, &mut sums.nll.clone().backward());
            let mut values = block_on(parameters::read(vec![sums.nll, sums.right.unwrap()])).unwrap();
            let gradients = block_on(parameters::read(gradients)).unwrap();
            values.extend(gradients);
            values
        };
        let packed = nll(&ExampleBatch::packed(&refs));
        let rows = nll(&ExampleBatch::rows(&refs, shape.context));
        for (a, b) in packed.iter().zip(&rows) {
            let size = b.iter().fold(1.0f32, |maximum, x| maximum.max(x.abs()));
            prop_assert!(far(a, b) <= 1e-4 * size);
        }
        // One by one they are the same again.
        let alone: f32 = refs.iter().map(|example| nll(&ExampleBatch::packed(&[example]))[0][0]).sum();
        prop_assert!((alone - packed[0][0]).abs() <= 1e-4 * alone.abs());
    }
}

#[test]
fn a_target_that_matches_nothing_lists_what_could() {
    let shape = ModelConfig::default();
    let device = device();
    let lora = LoraConfig {
        targets: vec!["q_proj".into()],
        ..Default::default()
    };
    let base = Decoder::new(&shape, VOCABULARY, 1, &device);
    let error = base
        .with_new_adapter(&shape, &lora, 1, &device)
        .unwrap_err();
    assert!(error.hint.contains("c_attn"), "{error}");
    assert_eq!(error.field.as_deref(), Some("targets"));
}
