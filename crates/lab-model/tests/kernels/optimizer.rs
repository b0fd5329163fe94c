//! The optimiser's kernels: norm, clipping, AdamW.

use super::{Bench, close, read};
use lab_model::burn::tensor::{Device, Tensor, TensorData};
use lab_model::kernels::{self, AdamWStep, plain};

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
