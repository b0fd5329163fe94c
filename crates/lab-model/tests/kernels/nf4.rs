//! Weights in 4 bits: the device's decoding of the codes, and products with it.

use super::{Bench, close, read};
use lab_model::burn::tensor::{Tensor, TensorData};
use lab_model::nf4::{Nf4, Quantized, Scales};

pub async fn nf4(bench: &mut Bench) {
    for [b, t, input, output] in [
        [1, 1, 64, 1],
        [2, 5, 40, 24],
        [1, 7, 128, 96],
        [3, 4, 100, 33],
    ] {
        let values = bench.numbers.floats(input * output);
        let device = bench.device.clone();
        let quantized = Quantized::new(&values, [input, output], &device);
        // By output and input, like the codes.
        let transposed: Vec<f32> = (0..input * output)
            .map(|place| values[place % input * output + place / input])
            .collect();
        let coded = Nf4::new(&transposed);
        let expected = coded.values(&Scales::new(&coded.scales).values());
        let name = format!("nf4 {input}x{output}");
        let found = read(quantized.dense().transpose()).await;
        close(&name, &found, &expected, 1e-6);

        let weight = TensorData::new(expected, [output, input]);
        let weight = Tensor::<2>::from_data(weight, &device.inner()).transpose();
        let x = move |x: &Tensor<1>| x.clone().reshape([b, t, input]);
        bench
            .agree(
                &format!("{name}, product"),
                &[b * t * input],
                1e-5,
                |leaves| quantized.product(x(&leaves[0])),
                |leaves| x(&leaves[0]).matmul(weight.clone().autodiff().unsqueeze()),
            )
            .await;
    }
}
