//! Vectors row by row: in full, and as 8-bit codes with a bound of their rounding error, by which a scan of
//! the codes becomes exact.

use super::distance::{ByteDot, byte_dot, dot};
use lab_protocol::Similarity;

/// A vector as 8-bit codes: a number is `code · scale`, and the largest has code ±127.
#[derive(Clone, Debug)]
pub struct Quantized {
    pub codes: Vec<i8>,
    pub facts: Facts,
}

/// The scale and lengths that belong to the codes of a row.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub scale: f32,
    /// Length of the full vector.
    pub length: f32,
    /// Length of the difference between the full and the rounded vector.
    pub error: f32,
}

pub fn quantize(vector: &[f32]) -> Quantized {
    let largest = vector
        .iter()
        .fold(0.0f32, |largest, v| largest.max(v.abs()));
    let scale = largest / 127.0;
    // A scale whose inverse is infinite means a vector of zeros.
    let inverse = if scale > 1e-30 { 1.0 / scale } else { 0.0 };
    let codes: Vec<i8> = vector
        .iter()
        .map(|v| (v * inverse).round().clamp(-127.0, 127.0) as i8)
        .collect();
    let difference: Vec<f32> = vector
        .iter()
        .zip(&codes)
        .map(|(v, &code)| v - scale * f32::from(code))
        .collect();
    let facts = Facts {
        scale,
        length: dot(vector, vector).sqrt(),
        error: dot(&difference, &difference).sqrt(),
    };
    Quantized { codes, facts }
}

/// Vectors of the same dimensions, normalized to length 1 with cosine.
#[derive(Clone, Debug)]
pub struct Rows {
    pub dimensions: usize,
    pub similarity: Similarity,
    pub full: Vec<f32>,
    pub codes: Vec<i8>,
    pub facts: Vec<Facts>,
}

/// A query with its codes.
pub struct Prepared {
    pub full: Vec<f32>,
    pub quantized: Quantized,
    byte_dot: ByteDot,
}

impl Rows {
    pub fn new(dimensions: usize, similarity: Similarity) -> Self {
        Self {
            dimensions,
            similarity,
            full: Vec::new(),
            codes: Vec::new(),
            facts: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Appends a vector as [`Rows::normalized`] gives it.
    pub fn push(&mut self, vector: &[f32]) {
        let quantized = quantize(vector);
        self.full.extend_from_slice(vector);
        self.codes.extend_from_slice(&quantized.codes);
        self.facts.push(quantized.facts);
    }

    /// The vector in its stored form: of length 1 with cosine; a vector of zeros stays.
    pub fn normalized(&self, vector: &[f32]) -> Vec<f32> {
        let mut vector = vector.to_vec();
        if self.similarity == Similarity::Cosine {
            // Divided by the largest number first, so no square overflows or vanishes.
            let largest = vector
                .iter()
                .fold(0.0f32, |largest, v| largest.max(v.abs()));
            if largest > 0.0 {
                vector.iter_mut().for_each(|v| *v /= largest);
                let length = dot(&vector, &vector).sqrt();
                vector.iter_mut().for_each(|v| *v /= length);
            }
        }
        vector
    }

    pub fn prepare(&self, query: &[f32]) -> Prepared {
        let full = self.normalized(query);
        Prepared {
            quantized: quantize(&full),
            full,
            byte_dot: byte_dot(),
        }
    }

    pub fn vector(&self, row: usize) -> &[f32] {
        &self.full[row * self.dimensions..(row + 1) * self.dimensions]
    }

    pub fn codes(&self, row: usize) -> &[i8] {
        &self.codes[row * self.dimensions..(row + 1) * self.dimensions]
    }

    /// The scalar product of the codes; with Euclidean, minus half the row's squared length, which orders
    /// rows by distance. A higher key is nearer.
    #[inline]
    pub fn key(&self, query: &Prepared, row: usize) -> f32 {
        let facts = &self.facts[row];
        let product = (query.byte_dot)(&query.quantized.codes, self.codes(row)) as f32;
        product * (query.quantized.facts.scale * facts.scale) - self.half_square(facts)
    }

    /// The maximum error of the key, by the Cauchy-Schwarz inequality:
    /// q·v − q̂·v̂ = (q − q̂)·v + q̂·(v − v̂), and a little for rounding.
    #[inline]
    pub fn key_error(&self, query: &Prepared, row: usize) -> f32 {
        let (q, v) = (&query.quantized.facts, &self.facts[row]);
        let bound = q.error * v.length + (q.length + q.error) * v.error;
        let magnitude = q.length * v.length + v.length * v.length;
        bound * 1.0001 + magnitude * 1e-5
    }

    /// The distance of two rows for the builder of the graph: less is nearer.
    pub fn distance(&self, byte_dot: ByteDot, a: usize, b: usize) -> f32 {
        let (x, y) = (&self.facts[a], &self.facts[b]);
        let product = byte_dot(self.codes(a), self.codes(b)) as f32 * (x.scale * y.scale);
        self.half_square(x) + self.half_square(y) - product
    }

    #[inline]
    fn half_square(&self, facts: &Facts) -> f32 {
        match self.similarity {
            Similarity::Euclidean => 0.5 * facts.length * facts.length,
            Similarity::Cosine | Similarity::Dot => 0.0,
        }
    }

    /// The exact score; higher is nearer.
    pub fn score(&self, query: &Prepared, row: usize) -> f32 {
        let vector = self.vector(row);
        match self.similarity {
            Similarity::Cosine | Similarity::Dot => dot(&query.full, vector),
            Similarity::Euclidean => {
                let difference: Vec<f32> =
                    query.full.iter().zip(vector).map(|(q, v)| q - v).collect();
                -dot(&difference, &difference).sqrt()
            }
        }
    }

    /// A copy of these rows, in this order.
    pub fn select(&self, rows: &[u32]) -> Self {
        let mut selected = Self::new(self.dimensions, self.similarity);
        for &row in rows {
            let row = row as usize;
            selected.full.extend_from_slice(self.vector(row));
            selected.codes.extend_from_slice(self.codes(row));
            selected.facts.push(self.facts[row]);
        }
        selected
    }

    pub fn truncate(&mut self, rows: usize) {
        self.full.truncate(rows * self.dimensions);
        self.codes.truncate(rows * self.dimensions);
        self.facts.truncate(rows);
    }

    pub fn append(&mut self, mut other: Self) {
        self.full.append(&mut other.full);
        self.codes.append(&mut other.codes);
        self.facts.append(&mut other.facts);
    }
}
