//! The choice of attention probabilities that are dropped in training. No kernel stores the probabilities, so none
//! stores a mask either: each factor is a function of its position, computed again in the backward pass. All devices
//! compute the same bits, since the generator uses integers only.

/// Defines `threefry(k0, k1, c0, c1)`: the two random words of Threefry-2x32 with 13 rounds (Salmon et al. 2011,
/// "Parallel random numbers: as easy as 1, 2, 3") for a key and a counter. The CPU and the shaders each define it
/// from this one text, with an `add` of their own that wraps around.
macro_rules! define_threefry {
    ($(#[$attribute:meta])*) => {
        $(#[$attribute])*
        // Shaders have no `rotate_left`.
        #[allow(clippy::manual_rotate)]
        pub fn threefry(k0: u32, k1: u32, c0: u32, c1: u32) -> (u32, u32) {
            let k2 = k0 ^ k1 ^ 0x1bd1_1bdau32;
            let x = add(c0, k0);
            let y = add(c1, k1);
            let x = add(x, y);
            let y = ((y << 13u32) | (y >> 19u32)) ^ x;
            let x = add(x, y);
            let y = ((y << 15u32) | (y >> 17u32)) ^ x;
            let x = add(x, y);
            let y = ((y << 26u32) | (y >> 6u32)) ^ x;
            let x = add(x, y);
            let y = ((y << 6u32) | (y >> 26u32)) ^ x;
            let x = add(x, k1);
            let y = add(y, add(k2, 1u32));
            let x = add(x, y);
            let y = ((y << 17u32) | (y >> 15u32)) ^ x;
            let x = add(x, y);
            let y = ((y << 29u32) | (y >> 3u32)) ^ x;
            let x = add(x, y);
            let y = ((y << 16u32) | (y >> 16u32)) ^ x;
            let x = add(x, y);
            let y = ((y << 24u32) | (y >> 8u32)) ^ x;
            let x = add(x, k2);
            let y = add(y, add(k0, 2u32));
            let x = add(x, y);
            let y = ((y << 13u32) | (y >> 19u32)) ^ x;
            let x = add(x, y);
            let y = ((y << 15u32) | (y >> 17u32)) ^ x;
            let x = add(x, y);
            let y = ((y << 26u32) | (y >> 6u32)) ^ x;
            let x = add(x, y);
            let y = ((y << 6u32) | (y >> 26u32)) ^ x;
            let x = add(x, k0);
            let y = add(y, add(k1, 3u32));
            let x = add(x, y);
            let y = ((y << 17u32) | (y >> 15u32)) ^ x;
            (x, y)
        }
    };
}

#[cfg(feature = "wgpu")]
pub(super) use define_threefry;

#[inline(always)]
fn add(a: u32, b: u32) -> u32 {
    a.wrapping_add(b)
}

define_threefry!(#[inline(always)]);

/// Dropout of one attention layer's probabilities in one micro-batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionDropout {
    /// The layer's key of the generator.
    pub(super) key: [u32; 2],
    /// A probability is kept if its random word is below this.
    pub(super) limit: u32,
    /// The factor of kept probabilities, `1 / (1 - probability)`.
    pub(super) scale: f32,
}

impl AttentionDropout {
    /// Drops with this probability, below 1. Each layer of each micro-batch needs a random key of its own.
    pub fn new(probability: f64, key: [u32; 2]) -> Self {
        let kept = 1.0 - probability;
        Self {
            key,
            limit: (kept * 2f64.powi(32)) as u32,
            scale: (1.0 / kept) as f32,
        }
    }

    /// The factor of the probability between a query and a key: 0 or [`Self::scale`]. Heads are counted through the
    /// batch: `row · heads + head`.
    #[inline(always)]
    pub(super) fn factor(&self, head: usize, query: usize, key: usize) -> f32 {
        let [k0, k1] = self.key;
        let (word, _) = threefry(k0, add(k1, head as u32), query as u32, key as u32);
        if word < self.limit { self.scale } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of Random123, the authors' library (`kat_vectors`).
    #[test]
    fn the_generator_is_threefry() {
        let zeros = threefry(0, 0, 0, 0);
        assert_eq!(zeros, (0x9d1c_5ec6, 0x8bd5_0731));
        let ones = threefry(u32::MAX, u32::MAX, u32::MAX, u32::MAX);
        assert_eq!(ones, (0xfd36_d048, 0x2d17_272c));
        let pi = threefry(0x1319_8a2e, 0x0370_7344, 0x243f_6a88, 0x85a3_08d3);
        assert_eq!(pi, (0xba3e_4725, 0xf27d_669e));
    }

    /// Of 64·64·16 positions, about the requested share is dropped, similarly in every head, query and key.
    #[test]
    fn the_share_is_the_probability() {
        let (heads, time) = (16, 64);
        for probability in [0.1, 0.5] {
            let dropout = AttentionDropout::new(probability, [7, 9]);
            let dropped = |places: &mut dyn Iterator<Item = (usize, usize, usize)>| {
                let mut count = (0.0, 0.0);
                for (head, query, key) in places {
                    let factor = dropout.factor(head, query, key);
                    assert!(factor == 0.0 || factor == dropout.scale);
                    count.0 += f64::from(u8::from(factor == 0.0));
                    count.1 += 1.0;
                }
                let deviation = (probability * (1.0 - probability) / count.1).sqrt();
                (count.0 / count.1 - probability) / deviation
            };
            for head in 0..heads {
                let mut all = (0..time * time).map(|place| (head, place / time, place % time));
                assert!(dropped(&mut all).abs() < 4.5);
            }
            for fixed in 0..time {
                let mut query = (0..heads * time).map(|place| (place / time, fixed, place % time));
                assert!(dropped(&mut query).abs() < 4.5);
                let mut key = (0..heads * time).map(|place| (place / time, place % time, fixed));
                assert!(dropped(&mut key).abs() < 4.5);
            }
        }
    }
}
