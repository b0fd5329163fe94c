//! The kernels against their plain forms on the native backends.

#[path = "kernels/cases.rs"]
mod cases;

use burn::tensor::Device;
use cases::Bench;

macro_rules! cases {
    ($device:expr, $($name:ident $(($arg:expr))?),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                let device = $device;
                pollster::block_on(cases::$name(&mut Bench::new(&device, 7) $(, $arg)?));
            }
        )*
    };
}

#[cfg(feature = "cpu")]
mod cpu {
    use super::*;
    cases!(
        Device::flex(),
        matmul(60),
        large_matmul,
        linear,
        norms,
        activations,
        softmax,
        attention,
        self_attention,
        attention_dropout,
        cached_attention,
        rope,
        embedding,
        cross_entropy,
        entropy,
        optimizer,
        nf4,
    );
}
