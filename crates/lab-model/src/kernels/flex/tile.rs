//! A tile of a product: a few rows and columns of the result, held in registers while their sums are formed.

#[cfg(not(target_arch = "wasm32"))]
pub use any::{COLUMNS, ROWS, Sums};
#[cfg(target_arch = "wasm32")]
pub use simd::{COLUMNS, ROWS, Sums};

/// A tile of the result from packed rows of `a` (`[depth][ROWS]`) and packed columns of `b` (`[depth][COLUMNS]`).
#[inline(always)]
pub fn packed(a: &[f32], b: &[f32]) -> [[f32; COLUMNS]; ROWS] {
    let (a, b) = (a.as_chunks::<ROWS>().0, b.as_chunks::<COLUMNS>().0);
    let mut sums = Sums::zero();
    for (a, b) in a.iter().zip(b) {
        sums.add(a, b);
    }
    sums.values()
}

/// The compiler's own instructions: AVX2 has 16 registers of eight numbers, of which 6×16 takes 12 for the sums.
#[cfg(not(target_arch = "wasm32"))]
mod any {
    pub const ROWS: usize = 6;
    pub const COLUMNS: usize = if cfg!(target_arch = "x86_64") { 16 } else { 8 };

    pub struct Sums([[f32; COLUMNS]; ROWS]);

    impl Sums {
        #[inline(always)]
        pub fn zero() -> Self {
            Self([[0.0; COLUMNS]; ROWS])
        }

        /// Adds the products of a column of `a` with a row of `b`.
        #[inline(always)]
        pub fn add(&mut self, a: &[f32; ROWS], b: &[f32; COLUMNS]) {
            for (sums, a) in self.0.iter_mut().zip(a) {
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum += a * b;
                }
            }
        }

        #[inline(always)]
        pub fn values(self) -> [[f32; COLUMNS]; ROWS] {
            self.0
        }
    }
}

/// WebAssembly's SIMD. V8 has 15 registers of four numbers on x64, of which 4×8 takes 8 for the sums; the compiler
/// would form some of them one by one.
#[cfg(target_arch = "wasm32")]
mod simd {
    use core::arch::wasm32::{f32x4, f32x4_add, f32x4_extract_lane, f32x4_mul, f32x4_splat, v128};

    pub const ROWS: usize = 4;
    pub const COLUMNS: usize = 8;

    pub struct Sums([[v128; 2]; ROWS]);

    impl Sums {
        #[inline(always)]
        pub fn zero() -> Self {
            Self([[f32x4_splat(0.0); 2]; ROWS])
        }

        /// Adds the products of a column of `a` with a row of `b`.
        #[inline(always)]
        pub fn add(&mut self, a: &[f32; ROWS], b: &[f32; COLUMNS]) {
            let [b0, b1, b2, b3, b4, b5, b6, b7] = *b;
            let b = [f32x4(b0, b1, b2, b3), f32x4(b4, b5, b6, b7)];
            for (sums, a) in self.0.iter_mut().zip(a) {
                let a = f32x4_splat(*a);
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = f32x4_add(*sum, f32x4_mul(a, b));
                }
            }
        }

        #[inline(always)]
        pub fn values(self) -> [[f32; COLUMNS]; ROWS] {
            let four = |sums: v128| {
                [
                    f32x4_extract_lane::<0>(sums),
                    f32x4_extract_lane::<1>(sums),
                    f32x4_extract_lane::<2>(sums),
                    f32x4_extract_lane::<3>(sums),
                ]
            };
            self.0.map(|[left, right]| {
                let ([a, b, c, d], [e, f, g, h]) = (four(left), four(right));
                [a, b, c, d, e, f, g, h]
            })
        }
    }
}
