//! Causal softmax, attention in its forms, and rotary positions.

use super::bench::{Bench, Leaves, close, read};
use lab_model::burn::tensor::{Device, Tensor, TensorData};
use lab_model::kernels::{self, AttentionDropout, plain};

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
                |l| kernels::self_attention(x(l), h, kv, None, 0.4, None),
                |l| plain::self_attention(x(l), h, kv, None, 0.4, None),
            )
            .await;
        let tables = angles(t + 3, d / 2, &bench.device);
        let turn = || Some((tables.0.clone(), tables.1.clone()));
        bench
            .agree(
                &format!("{name}, with rotation"),
                &n,
                1e-5,
                |l| kernels::self_attention(x(l), h, kv, turn(), 0.4, None),
                |l| plain::self_attention(x(l), h, kv, turn(), 0.4, None),
            )
            .await;
        for probability in [0.1, 0.6] {
            let key = [bench.numbers.next() as u32, bench.numbers.next() as u32];
            let dropped = Some(AttentionDropout::new(probability, key));
            bench
                .agree(
                    &format!("{name}, dropout {probability}"),
                    &n,
                    1e-5,
                    |l| kernels::self_attention(x(l), h, kv, turn(), 0.4, dropped),
                    |l| plain::self_attention(x(l), h, kv, turn(), 0.4, dropped),
                )
                .await;
        }
    }
}

/// Over many keys the mean of attention with dropout equals attention without. At probability 0.2 a result's
/// deviation is at most half of the largest value, so the deviation of a mean of 256 is at most a thirty-second.
pub async fn attention_dropout(bench: &mut Bench) {
    let (b, h, kv, t, d, keys) = (2, 4, 2, 6, 4, 256);
    let device = bench.device.clone().inner();
    let values = bench.numbers.floats(b * t * (h + 2 * kv) * d);
    let values = TensorData::new(values, [b, t, (h + 2 * kv) * d]);
    let x = Tensor::<3>::from_data(values, &device);
    let attend = |dropped| kernels::self_attention(x.clone(), h, kv, None, 0.4, dropped);
    let expected = read(attend(None)).await;
    let none = Some(AttentionDropout::new(0.0, [1, 2]));
    close("dropout 0", &read(attend(none)).await, &expected, 1e-6);
    let mut sums = vec![0.0; expected.len()];
    for _ in 0..keys {
        let key = [bench.numbers.next() as u32, bench.numbers.next() as u32];
        let found = read(attend(Some(AttentionDropout::new(0.2, key)))).await;
        assert_ne!(found, expected, "something is dropped");
        for (sum, y) in sums.iter_mut().zip(found) {
            *sum += y / keys as f32;
        }
    }
    for (mean, y) in sums.iter().zip(&expected) {
        assert!((mean - y).abs() < 0.2, "mean {mean}, without dropout {y}");
    }
    gradient_by_differences(bench, [b, t, (h + 2 * kv) * d], [h, kv]).await;
}

/// Moves numbers of the packed projection and measures the change of a weighted sum of the output.
async fn gradient_by_differences(bench: &mut Bench, shape: [usize; 3], [h, kv]: [usize; 2]) {
    let count = shape.iter().product();
    let values = bench.numbers.floats(count);
    let key = [bench.numbers.next() as u32, bench.numbers.next() as u32];
    let dropped = Some(AttentionDropout::new(0.3, key));
    let [b, t, _] = shape;
    let width = shape[2] / (h + 2 * kv);
    let weights = bench.numbers.floats(b * t * h * width);
    let weights = TensorData::new(weights, [b, t, h * width]);
    let weights = Tensor::<3>::from_data(weights, &bench.device.clone().inner());
    let sum = |x: Tensor<3>| {
        let y = kernels::self_attention(x, h, kv, None, 0.4, dropped);
        (y * weights.clone()).sum()
    };
    let leaf = bench.leaf(&values);
    let gradients = sum(leaf.clone().reshape(shape)).backward();
    let gradient = read(leaf.grad(&gradients).expect("a gradient")).await;
    let step = 1e-2;
    for place in (0..count).step_by(17) {
        let mut sums = [0.0; 2];
        for (found, by) in sums.iter_mut().zip([step, -step]) {
            let mut moved = values.clone();
            moved[place] += by;
            let x = TensorData::new(moved, shape);
            let x = Tensor::from_data(x, &bench.device.clone().inner());
            *found = read(sum(x)).await[0];
        }
        let expected = (sums[0] - sums[1]) / (2.0 * step);
        let off = (gradient[place] - expected).abs();
        assert!(
            off < 5e-3,
            "{place}: {}, by differences {expected}",
            gradient[place]
        );
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
        // As in the decoder: heads and positions swapped.
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
