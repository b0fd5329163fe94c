//! Each kernel against its plain form: the same inputs, the same random weighting of the output, the
//! same result and the same gradients. The functions run on whichever device they are given.

mod attention;
mod bench;
mod decode;
mod nf4;
mod optimizer;

pub use attention::{attention, attention_dropout, rope, self_attention, softmax};
pub use bench::Bench;
pub use decode::cached_attention;
pub use nf4::nf4;
pub use optimizer::optimizer;

use bench::{Leaves, close, read};
use lab_model::burn::tensor::{Int, Tensor, TensorData};
use lab_model::kernels::{self, plain};

/// Products of two batches of matrices, each plain or a transposed view.
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

pub async fn entropy(bench: &mut Bench) {
    for [n, v] in [[1, 2], [9, 65], [512, 65], [7, 300]] {
        let x = move |l: &Leaves| l[0].clone().reshape([n, v]) * 4.0;
        bench
            .agree(
                &format!("entropy {n} {v}"),
                &[n * v],
                5e-6,
                |l| kernels::entropy(x(l)),
                |l| plain::entropy(x(l)),
            )
            .await;
    }
}
