//! Each kernel against its plain form: the same inputs, the same random weighting of the output, the
//! same result and the same gradients. The functions run on whichever device they are given.

mod decode;
mod nf4;

pub use decode::cached_attention;
pub use nf4::nf4;

use lab_model::burn::tensor::{Device, Int, Tensor, TensorData};
use lab_model::kernels::{self, AdamWStep, plain};

/// Seeded numbers (SplitMix64), so that a failure can be repeated.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
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
    fn float(&mut self) -> f32 {
        (0..4)
            .map(|_| (self.next() >> 40) as f32 / (1u64 << 24) as f32 - 0.5)
            .sum::<f32>()
            * 1.73
    }

    fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float()).collect()
    }
}

/// What a comparison is done with: a device with autodiff, and numbers.
pub struct Bench {
    pub device: Device,
    pub numbers: Numbers,
}

type Leaves = Vec<Tensor<1>>;

async fn read<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    let data = x.into_data_async().await.expect("the tensor can be read");
    data.try_into_vec().expect("32-bit floats")
}

/// Panics unless `found` is `expected` up to `tolerance` times the largest expected value.
fn close(name: &str, found: &[f32], expected: &[f32], tolerance: f32) {
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

    fn leaf(&self, values: &[f32]) -> Tensor<1> {
        Tensor::from_data(
            TensorData::new(values.to_vec(), [values.len()]),
            &self.device,
        )
        .require_grad()
    }

    fn ids(&mut self, shape: [usize; 2], below: usize) -> Tensor<2, Int> {
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

/// Products of two batches of matrices, each as it is or a transposed view.
pub async fn matmul(bench: &mut Bench, rounds: usize) {
    for round in 0..rounds {
        let n = &mut bench.numbers;
        let (b, m, k) = (n.between(1, 3), n.between(1, 40), n.between(1, 40));
        // Every other round has sizes that are whole numbers of vectors of four.
        let four = |x: usize| if round % 2 == 0 { x.div_ceil(4) * 4 } else { x };
        let (m, k, c) = (four(m), four(k), four(n.between(1, 70)));
        let (left, right, shared) = (n.between(0, 1), n.between(0, 1), n.between(0, 1));
        let a_of = move |x: &Tensor<1>| match left {
            0 => x.clone().reshape([b, m, k]),
            _ => x.clone().reshape([b, k, m]).swap_dims(1, 2),
        };
        let batch = if shared == 1 { 1 } else { b };
        let b_of = move |x: &Tensor<1>| match right {
            0 => x.clone().reshape([batch, k, c]),
            _ => x.clone().reshape([batch, c, k]).swap_dims(1, 2),
        };
        let name = format!("matmul {b}x{m}x{k}·{batch}x{k}x{c}, transposed {left} {right}");
        let sizes = [b * m * k, batch * k * c];
        bench
            .agree(
                &name,
                &sizes,
                2e-6 * (k as f32).sqrt().max(4.0),
                |x| kernels::matmul(a_of(&x[0]), b_of(&x[1])),
                |x| plain::matmul(a_of(&x[0]), b_of(&x[1])),
            )
            .await;
    }
}

/// Products that need many tiles, and a view that starts within its memory.
pub async fn large_matmul(bench: &mut Bench) {
    for [m, k, c] in [
        [130, 300, 65],
        [512, 64, 192],
        [64, 513, 128],
        [1, 128, 500],
        [200, 3, 7],
    ] {
        let take = move |x: &Tensor<1>| x.clone().reshape([m + 4, k]).narrow(0, 4, m);
        bench
            .agree(
                &format!("matmul {m}x{k}·{k}x{c}"),
                &[(m + 4) * k, k * c],
                1e-5,
                |x| kernels::matmul(take(&x[0]), x[1].clone().reshape([k, c])),
                |x| plain::matmul(take(&x[0]), x[1].clone().reshape([k, c])),
            )
            .await;
    }
}

pub async fn linear(bench: &mut Bench) {
    for [b, t, i, o] in [
        [2, 5, 8, 12],
        [1, 7, 5, 3],
        [8, 64, 64, 192],
        [3, 1, 16, 65],
    ] {
        let x = move |x: &Leaves| x[0].clone().reshape([b, t, i]);
        let w = move |x: &Leaves| x[1].clone().reshape([i, o]);
        let sizes = [b * t * i, i * o, o];
        bench
            .agree(
                &format!("linear {b} {t} {i} {o}"),
                &sizes,
                1e-5,
                |l| kernels::linear(x(l), w(l), Some(l[2].clone())),
                |l| plain::linear(x(l), w(l), Some(l[2].clone())),
            )
            .await;
        bench
            .agree(
                &format!("linear without bias {b} {t} {i} {o}"),
                &sizes[..2],
                1e-5,
                |l| kernels::linear(x(l), w(l), None),
                |l| plain::linear(x(l), w(l), None),
            )
            .await;
        let w = move |x: &Leaves| x[1].clone().reshape([o, i]);
        bench
            .agree(
                &format!("linear transposed {b} {t} {i} {o}"),
                &sizes[..2],
                1e-5,
                |l| kernels::linear_transposed(x(l), w(l)),
                |l| plain::linear_transposed(x(l), w(l)),
            )
            .await;
    }
}

pub async fn norms(bench: &mut Bench) {
    for [rows, d] in [[3, 4], [7, 5], [512, 64], [300, 130], [2, 1030]] {
        let x = move |x: &Leaves| x[0].clone().reshape([rows, d]);
        bench
            .agree(
                &format!("layer norm {rows} {d}"),
                &[rows * d, d, d],
                1e-5,
                |l| kernels::layer_norm(x(l), l[1].clone(), Some(l[2].clone()), 1e-5),
                |l| plain::layer_norm(x(l), l[1].clone(), Some(l[2].clone()), 1e-5),
            )
            .await;
        bench
            .agree(
                &format!("layer norm without bias {rows} {d}"),
                &[rows * d, d],
                1e-5,
                |l| kernels::layer_norm(x(l), l[1].clone(), None, 1e-5),
                |l| plain::layer_norm(x(l), l[1].clone(), None, 1e-5),
            )
            .await;
        bench
            .agree(
                &format!("rms norm {rows} {d}"),
                &[rows * d, d],
                1e-5,
                |l| kernels::rms_norm(x(l), l[1].clone(), 1e-6),
                |l| plain::rms_norm(x(l), l[1].clone(), 1e-6),
            )
            .await;
    }
}

pub async fn activations(bench: &mut Bench) {
    for [rows, d] in [[1, 1], [3, 5], [40, 256], [300, 128]] {
        let x = move |l: &Leaves| l[0].clone().reshape([rows, d]) * 3.0;
        let (n, tolerance) = ([rows * d], 2e-6);
        let name = |kind: &str| format!("{kind} {rows} {d}");
        bench
            .agree(
                &name("gelu"),
                &n,
                tolerance,
                |l| kernels::gelu(x(l)),
                |l| plain::gelu(x(l)),
            )
            .await;
        bench
            .agree(
                &name("gelu_new"),
                &n,
                tolerance,
                |l| kernels::gelu_new(x(l)),
                |l| plain::gelu_new(x(l)),
            )
            .await;
        bench
            .agree(
                &name("relu"),
                &n,
                tolerance,
                |l| kernels::relu(x(l)),
                |l| plain::relu(x(l)),
            )
            .await;
        let up = move |l: &Leaves| l[1].clone().reshape([rows, d]);
        bench
            .agree(
                &name("swiglu"),
                &[rows * d, rows * d],
                tolerance,
                |l| kernels::swiglu(x(l), up(l)),
                |l| plain::swiglu(x(l), up(l)),
            )
            .await;
    }
}

pub async fn softmax(bench: &mut Bench) {
    for [b, h, t, s] in [
        [1, 1, 1, 1],
        [2, 3, 5, 5],
        [1, 2, 3, 9],
        [2, 4, 64, 64],
        [1, 1, 130, 130],
    ] {
        let x = move |l: &Leaves| l[0].clone().reshape([b, h, t, s]);
        bench
            .agree(
                &format!("causal softmax {b} {h} {t} {s}"),
                &[b * h * t * s],
                2e-6,
                |l| kernels::causal_softmax(x(l), 0.7),
                |l| plain::causal_softmax(x(l), 0.7),
            )
            .await;
    }
}

pub async fn attention(bench: &mut Bench) {
    for [b, h, kv, t, s, d] in [
        [1, 1, 1, 1, 1, 4],
        [2, 4, 2, 5, 9, 3],
        [1, 6, 2, 1, 20, 8],
        [2, 4, 4, 33, 33, 16],
    ] {
        let q = move |l: &Leaves| l[0].clone().reshape([b, t, h, d]).swap_dims(1, 2);
        let k = move |l: &Leaves| l[1].clone().reshape([b, kv, s, d]);
        let v = move |l: &Leaves| l[2].clone().reshape([b, kv, s, d]);
        bench
            .agree(
                &format!("attention {b} {h}/{kv} {t} {s} {d}"),
                &[b * h * t * d, b * kv * s * d, b * kv * s * d],
                1e-5,
                |l| kernels::attention(q(l), k(l), v(l), 0.4),
                |l| plain::attention(q(l), k(l), v(l), 0.4),
            )
            .await;
    }
}

pub async fn self_attention(bench: &mut Bench) {
    for [b, h, kv, t, d] in [
        [1, 1, 1, 1, 2],
        [2, 4, 2, 5, 6],
        [1, 6, 2, 70, 8],
        [2, 4, 4, 64, 16],
        [2, 3, 1, 33, 20],
        [1, 2, 1, 40, 64],
        [1, 2, 2, 9, 96],
    ] {
        let packed = (h + 2 * kv) * d;
        let x = move |l: &Leaves| l[0].clone().reshape([b, t, packed]);
        let (name, n) = (
            format!("self attention {b} {h}/{kv} {t} {d}"),
            [b * t * packed],
        );
        bench
            .agree(
                &name,
                &n,
                1e-5,
                |l| kernels::self_attention(x(l), h, kv, None, 0.4),
                |l| plain::self_attention(x(l), h, kv, None, 0.4),
            )
            .await;
        let tables = angles(t + 3, d / 2, &bench.device);
        let turn = || Some((tables.0.clone(), tables.1.clone()));
        bench
            .agree(
                &format!("{name}, with rotation"),
                &n,
                1e-5,
                |l| kernels::self_attention(x(l), h, kv, turn(), 0.4),
                |l| plain::self_attention(x(l), h, kv, turn(), 0.4),
            )
            .await;
    }
}

/// Cosines and sines `[time, half]`, on the device without autodiff.
fn angles(time: usize, half: usize, device: &Device) -> (Tensor<2>, Tensor<2>) {
    let angle = |i: usize| (i / half) as f32 / 10f32.powf((i % half) as f32 / half as f32);
    let table = |f: fn(f32) -> f32| {
        let values: Vec<f32> = (0..time * half).map(|i| f(angle(i))).collect();
        Tensor::from_data(
            TensorData::new(values, [time, half]),
            &device.clone().inner(),
        )
    };
    (table(f32::cos), table(f32::sin))
}

pub async fn rope(bench: &mut Bench) {
    for [b, h, t, d] in [[1, 1, 1, 2], [2, 3, 7, 10], [2, 4, 64, 16]] {
        let (cos, sin) = angles(t + 1, d / 2, &bench.device);
        // As the decoder has it: heads and positions swapped.
        let x = move |l: &Leaves| l[0].clone().reshape([b, t, h, d]).swap_dims(1, 2);
        bench
            .agree(
                &format!("rope {b} {h} {t} {d}"),
                &[b * h * t * d],
                2e-6,
                |l| kernels::rope(x(l), cos.clone(), sin.clone()),
                |l| plain::rope(x(l), cos.clone(), sin.clone()),
            )
            .await;
    }
}

pub async fn embedding(bench: &mut Bench) {
    for [v, d, b, t] in [
        [1, 4, 1, 1],
        [5, 6, 2, 9],
        [65, 64, 8, 64],
        [3000, 12, 3, 50],
    ] {
        let ids = bench.ids([b, t], v);
        let w = move |l: &Leaves| l[0].clone().reshape([v, d]);
        bench
            .agree(
                &format!("embedding {v} {d} {b} {t}"),
                &[v * d],
                2e-6,
                |l| kernels::embedding(w(l), ids.clone()),
                |l| plain::embedding(w(l), ids.clone()),
            )
            .await;
    }
}

pub async fn cross_entropy(bench: &mut Bench) {
    for [n, v] in [[1, 2], [9, 65], [512, 65], [7, 300]] {
        let targets: Vec<i32> = (0..n)
            .map(|i| {
                if i % 5 == 3 {
                    -1
                } else {
                    bench.numbers.between(0, v - 1) as i32
                }
            })
            .collect();
        let targets = TensorData::new(targets, [n]);
        let targets = Tensor::<1, Int>::from_data(targets, &bench.device.clone().inner());
        let x = move |l: &Leaves| l[0].clone().reshape([n, v]) * 4.0;
        bench
            .agree(
                &format!("cross entropy {n} {v}"),
                &[n * v],
                2e-6,
                |l| kernels::cross_entropy(x(l), targets.clone()),
                |l| plain::cross_entropy(x(l), targets.clone()),
            )
            .await;
    }
}

/// Norm, clipping and ten updates; then a gradient that is not finite changes nothing.
pub async fn optimizer(bench: &mut Bench) {
    let device = bench.device.clone().inner();
    let make = |values: Vec<f32>| {
        let n = values.len();
        Tensor::<1>::from_data(TensorData::new(values, [n]), &device)
    };
    let sizes = [1, 7, 4096, 64, 130, 20_000, 3];
    let gradients: Vec<_> = sizes
        .iter()
        .map(|n| make(bench.numbers.floats(*n)))
        .collect();
    let norm = kernels::global_norm(&gradients);
    let expected = plain::global_norm(&gradients);
    close(
        "global norm",
        &read(norm.clone()).await,
        &read(expected.clone()).await,
        1e-5,
    );
    for max in [1.0, 1e6, 0.0] {
        let found = kernels::clip_scale(norm.clone(), max);
        let expected = plain::clip_scale(expected.clone(), max);
        close("clipping", &read(found).await, &read(expected).await, 1e-5);
    }
    for n in [1, 6, 4096, 70_000] {
        let mut fast =
            [0.5, 0.0, 0.0].map(|s| bench.numbers.floats(n).iter().map(|x| x * s).collect());
        fast[2] = bench
            .numbers
            .floats(n)
            .iter()
            .map(|x: &f32| x * x)
            .collect::<Vec<_>>();
        let mut fast = fast.map(make);
        let mut slow = fast.clone();
        for step in 1..=10 {
            let gradient = make(bench.numbers.floats(n));
            let h = AdamWStep {
                learning_rate: 1e-2,
                beta1: 0.9,
                beta2: 0.99,
                epsilon: 1e-8,
                weight_decay: 0.1,
                step,
            };
            let scale = make(vec![0.3]);
            let [p, m, v] = fast;
            fast = kernels::adamw(p, gradient.clone(), m, v, h, scale.clone()).into();
            let [p, m, v] = slow;
            slow = plain::adamw(p, gradient, m, v, h, scale).into();
        }
        for ((name, a), b) in ["parameter", "mean", "mean square"]
            .iter()
            .zip(fast)
            .zip(slow)
        {
            close(
                &format!("adamw {n} {name}"),
                &read(a).await,
                &read(b).await,
                2e-6,
            );
        }
    }
    unusable_gradients(&device).await;
}

async fn unusable_gradients(device: &Device) {
    let make = |values: [f32; 3]| Tensor::<1>::from_data(TensorData::from(values), device);
    let h = AdamWStep {
        learning_rate: 1e-2,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        weight_decay: 0.1,
        step: 1,
    };
    for bad in [f32::NAN, f32::INFINITY] {
        let gradient = make([1.0, bad, 2.0]);
        let norm = kernels::global_norm(std::slice::from_ref(&gradient));
        assert!(
            !read(norm.clone()).await[0].is_finite(),
            "the norm of {bad} is reported"
        );
        let scale = kernels::clip_scale(norm, 1.0);
        assert_eq!(
            read(scale.clone()).await,
            [-1.0],
            "a norm of {bad} switches the update off"
        );
        let before = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]];
        let [p, m, v] = before.map(make);
        let after = kernels::adamw(p, gradient, m, v, h, scale);
        for (after, before) in [after.0, after.1, after.2].into_iter().zip(before) {
            assert_eq!(
                read(after).await,
                before,
                "a gradient of {bad} changes nothing"
            );
        }
    }
}
