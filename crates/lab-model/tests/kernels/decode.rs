//! The attention of generation: not differentiable, and it changes the cache.

use super::{Bench, close, read};
use lab_model::burn::tensor::{Tensor, TensorData};
use lab_model::kernels::{self, plain};

pub async fn cached_attention(bench: &mut Bench) {
    let device = bench.device.clone().inner();
    for [b, h, kv, capacity, d] in [
        [1, 1, 1, 1, 2],
        [3, 4, 2, 32, 6],
        [2, 6, 2, 100, 8],
        [4, 4, 4, 64, 16],
        [2, 3, 1, 256, 64],
        [5, 9, 3, 70, 64],
        [1, 2, 1, 9, 96],
    ] {
        let mut floats = |shape: [usize; 3]| {
            let values = bench.numbers.floats(shape.iter().product());
            Tensor::<3>::from_data(TensorData::new(values, shape), &device)
        };
        let qkv = floats([b, 1, (h + 2 * kv) * d]);
        let keys = floats([b, capacity, kv * d]);
        let values = floats([b, capacity, kv * d]);
        let lengths: Vec<i32> = (0..b)
            .map(|row| match row {
                0 => capacity as i32 - 1,
                1 => 0,
                _ => bench.numbers.between(0, capacity - 1) as i32,
            })
            .collect();
        let lengths = Tensor::from_data(TensorData::new(lengths, [b]), &device);
        let arguments = || (qkv.clone(), keys.clone(), values.clone(), lengths.clone());
        let (q, k, v, n) = arguments();
        let expected = plain::cached_attention(q, k, v, n, h, kv, 0.4);
        // Once with a cache that others use, once with one that is changed in place.
        let (q, k, v, n) = arguments();
        let shared = kernels::cached_attention(q, k, v, n, h, kv, 0.4);
        let (q, k, v, n) = arguments();
        let (k, v) = (k * 1.0, v * 1.0);
        let owned = kernels::cached_attention(q, k, v, n, h, kv, 0.4);
        let name = format!("cached attention {b} {h}/{kv} {capacity} {d}");
        let kept = read(keys.clone()).await;
        for (what, found) in [("shared", shared), ("owned", owned)] {
            let name = format!("{name}, {what}");
            close(
                &name,
                &read(found.0).await,
                &read(expected.0.clone()).await,
                1e-5,
            );
            close(
                &name,
                &read(found.1).await,
                &read(expected.1.clone()).await,
                0.0,
            );
            close(
                &name,
                &read(found.2).await,
                &read(expected.2.clone()).await,
                0.0,
            );
        }
        close(
            &format!("{name}, what others hold"),
            &read(keys).await,
            &kept,
            0.0,
        );
    }
}
