//! Attention in generation: one more token for each sequence, over cached keys and values. Not differentiable.

use super::backend::{Heads, Kernels, LabKernels, Rotation, fits};
use super::plain;
#[cfg(feature = "wgpu")]
use burn::backend::Cube;
use burn::backend::Dispatch;
#[cfg(feature = "cpu")]
use burn::backend::Flex;
use burn::tensor::{Int, Tensor};

/// Returns the result of backend `$b`, if the tensors are on it. (A clone is tested first: the tensors themselves
/// must stay unshared to be changed in place.)
macro_rules! attend_on {
    ($b:ty, $qkv:ident, $keys:ident, $values:ident, $lengths:ident, $heads:ident, $scale:ident) => {
        if fits(&$qkv)
            && $keys.clone().try_into_primitive::<$b>().is_ok()
            && $qkv.clone().try_into_primitive::<$b>().is_ok()
        {
            let [Ok(qkv), Ok(keys), Ok(values)] =
                [$qkv, $keys, $values].map(|x| x.try_into_primitive::<$b>())
            else {
                panic!("cached_attention: the tensors are on different backends");
            };
            let Ok(lengths) = $lengths.try_into_primitive::<$b>() else {
                panic!("cached_attention: the tensors are on different backends");
            };
            let (y, keys, values) =
                <$b>::k_cached_attention(qkv, keys, values, lengths, $heads, $scale as f32);
            return (
                Tensor::from_primitive::<$b>(y),
                Tensor::from_primitive::<$b>(keys),
                Tensor::from_primitive::<$b>(values),
            );
        }
    };
}

/// The attention of one new token of each sequence over the sequence so far: `qkv` `[b, 1, (h + 2·kv)·d]` packed as
/// in [`super::self_attention`] and already turned; `keys` and `values` `[b, capacity, kv·d]`, of which sequence `i`
/// has filled `lengths[i]` (below the capacity). The new key and value are written there, in place if nothing else
/// uses the memory. Returns the output `[b, 1, h·d]`, and keys and values.
#[allow(unused_mut)]
pub fn cached_attention(
    qkv: Tensor<3>,
    keys: Tensor<3>,
    values: Tensor<3>,
    lengths: Tensor<1, Int>,
    heads: usize,
    kv_heads: usize,
    scale: f64,
) -> (Tensor<3>, Tensor<3>, Tensor<3>) {
    let shape = Heads {
        queries: heads,
        keys: kv_heads,
        width: qkv.dims()[2] / (heads + 2 * kv_heads),
    };
    #[cfg(feature = "cpu")]
    attend_on!(Flex, qkv, keys, values, lengths, shape, scale);
    #[cfg(feature = "wgpu")]
    attend_on!(Cube, qkv, keys, values, lengths, shape, scale);
    plain::cached_attention(qkv, keys, values, lengths, heads, kv_heads, scale)
}

/// Turns queries and keys of a packed projection `[b, t, (h + 2·kv)·d]` by the angles of their positions: `rotation`
/// is cosine and sine, `[t, d/2]` or longer. With one token for each row, `[1, rows, …]` turns each row by its own
/// angles.
pub fn rotate_heads(
    qkv: Tensor<3>,
    heads: usize,
    kv_heads: usize,
    (cos, sin): (Tensor<2>, Tensor<2>),
) -> Tensor<3> {
    let [_, time, packed] = qkv.dims();
    let vectors = heads + 2 * kv_heads;
    if !fits(&qkv) {
        return plain::rotate_heads(qkv, heads, kv_heads, (cos, sin));
    }
    let rotation = Rotation {
        vectors,
        turned: heads + kv_heads,
        width: packed / vectors,
        time,
        inverse: false,
    };
    Tensor::from_dispatch(Dispatch::lab_rotate(
        qkv.into_dispatch(),
        cos.into_dispatch(),
        sin.into_dispatch(),
        rotation,
    ))
}
