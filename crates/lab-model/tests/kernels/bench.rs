//! The comparison of a kernel with its plain form.

use lab_model::burn::tensor::{Device, Int, Tensor, TensorData};

/// Seeded numbers (SplitMix64), so a failure can be repeated.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number from `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    /// Roughly normal with deviation 1.
    pub fn float(&mut self) -> f32 {
        (0..4)
            .map(|_| (self.next() >> 40) as f32 / (1u64 << 24) as f32 - 0.5)
            .sum::<f32>()
            * 1.73
    }

    pub fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float()).collect()
    }
}

/// A device with autodiff, and numbers, for comparisons.
pub struct Bench {
    pub device: Device,
    pub numbers: Numbers,
}

pub type Leaves = Vec<Tensor<1>>;

pub async fn read<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    let data = x.into_data_async().await.expect("the tensor can be read");
    data.try_into_vec().expect("32-bit floats")
}

/// Panics unless `found` is `expected` up to `tolerance` times the largest expected value.
pub fn close(name: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{name}: number of elements");
    let scale = expected
        .iter()
        .fold(0.0f32, |a, b| a.max(b.abs()))
        .max(1e-3);
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        let off = (a - b).abs();
        assert!(
            off <= tolerance * scale,
            "{name}[{i}]: {a} instead of {b} (largest {scale})"
        );
    }
}

impl Bench {
    pub fn new(device: &Device, seed: u64) -> Self {
        Self {
            device: device.clone().autodiff(),
            numbers: Numbers::new(seed),
        }
    }

    pub fn leaf(&self, values: &[f32]) -> Tensor<1> {
        Tensor::from_data(
            TensorData::new(values.to_vec(), [values.len()]),
            &self.device,
        )
        .require_grad()
    }

    pub fn ids(&mut self, shape: [usize; 2], below: usize) -> Tensor<2, Int> {
        let ids = (0..shape[0] * shape[1]).map(|_| self.numbers.between(0, below - 1) as i32);
        let ids = TensorData::new(ids.collect::<Vec<_>>(), shape);
        Tensor::from_data(ids, &self.device.clone().inner())
    }

    /// `fast` and `slow` of random leaves of these sizes: same output, same gradients of all leaves.
    pub async fn agree<const D: usize>(
        &mut self,
        name: &str,
        sizes: &[usize],
        tolerance: f32,
        fast: impl Fn(&Leaves) -> Tensor<D>,
        slow: impl Fn(&Leaves) -> Tensor<D>,
    ) {
        let values: Vec<Vec<f32>> = sizes.iter().map(|n| self.numbers.floats(*n)).collect();
        let leaves = || values.iter().map(|v| self.leaf(v)).collect::<Leaves>();
        let (fast_leaves, slow_leaves) = (leaves(), leaves());
        let (found, expected) = (fast(&fast_leaves), slow(&slow_leaves));
        assert_eq!(found.dims(), expected.dims(), "{name}: shape");
        let weighting = self.numbers.floats(found.shape().num_elements());
        let weighting = TensorData::new(weighting, found.shape());
        let weighting = Tensor::<D>::from_data(weighting, &self.device.clone().inner());
        let found_gradients = (found.clone() * weighting.clone()).sum().backward();
        let expected_gradients = (expected.clone() * weighting).sum().backward();
        close(name, &read(found).await, &read(expected).await, tolerance);
        for (i, (a, b)) in fast_leaves.iter().zip(&slow_leaves).enumerate() {
            let name = format!("{name}, gradient {i}");
            let expected = b
                .grad(&expected_gradients)
                .expect("the plain form has a gradient");
            let found = a
                .grad(&found_gradients)
                .unwrap_or_else(|| panic!("{name}: missing"));
            close(&name, &read(found).await, &read(expected).await, tolerance);
        }
    }
}
