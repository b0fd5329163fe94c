//! Vectors in two dimensions for a picture: their first two principal components.

use super::distance::dot;

/// The maximum number of vectors that the directions are computed from, evenly spaced.
const SAMPLE: usize = 2000;
/// Steps of the power method: enough for a picture.
const STEPS: usize = 50;

/// A plane through the mean of vectors, along the two directions of their greatest variance.
#[derive(Clone, Debug)]
pub struct Plane {
    middle: Vec<f32>,
    axes: [Vec<f32>; 2],
}

impl Plane {
    /// The plane of vectors of the same dimensions; none without vectors. It depends on the vectors only.
    pub fn new(vectors: &[&[f32]]) -> Option<Self> {
        let dimensions = vectors.first()?.len();
        let sample: Vec<&[f32]> = vectors
            .iter()
            .step_by(vectors.len().div_ceil(SAMPLE))
            .copied()
            .collect();
        let mut middle = vec![0.0; dimensions];
        for vector in &sample {
            add(&mut middle, vector, 1.0 / sample.len() as f32);
        }
        let centred: Vec<Vec<f32>> = sample
            .iter()
            .map(|vector| {
                let mut centred = vector.to_vec();
                add(&mut centred, &middle, -1.0);
                centred
            })
            .collect();
        let first = direction(&centred, None, dimensions);
        let second = direction(&centred, Some(&first), dimensions);
        Some(Self {
            middle,
            axes: [first, second],
        })
    }

    /// The coordinates of a vector in the plane.
    pub fn place(&self, vector: &[f32]) -> [f32; 2] {
        let along = |axis: &Vec<f32>| dot(vector, axis) - dot(&self.middle, axis);
        [along(&self.axes[0]), along(&self.axes[1])]
    }
}

/// The direction of the greatest variance orthogonal to `other`; zeros if there is none.
fn direction(centred: &[Vec<f32>], other: Option<&Vec<f32>>, dimensions: usize) -> Vec<f32> {
    // An arbitrary start that is unlikely to be orthogonal to all vectors.
    let mut axis: Vec<f32> = (0..dimensions)
        .map(|place| 1.0 + ((place * 37) % 11) as f32 * 0.1)
        .collect();
    for _ in 0..STEPS {
        let mut next = vec![0.0; dimensions];
        for vector in centred {
            add(&mut next, vector, dot(vector, &axis));
        }
        if let Some(other) = other {
            let along = dot(&next, other);
            add(&mut next, other, -along);
        }
        let length = dot(&next, &next).sqrt();
        if length <= f32::MIN_POSITIVE {
            return vec![0.0; dimensions];
        }
        axis = next.iter().map(|value| value / length).collect();
    }
    axis
}

fn add(to: &mut [f32], vector: &[f32], factor: f32) {
    to.iter_mut()
        .zip(vector)
        .for_each(|(to, value)| *to += factor * value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plane_lies_where_vectors_differ_most() {
        // Wide along the third number, less wide along the first, hardly along the second.
        let vectors: Vec<Vec<f32>> = (0..100)
            .map(|i| {
                let wave = |step: f32| (i as f32 * step).sin();
                vec![
                    3.0 + 2.0 * wave(0.7),
                    0.01 * wave(1.3),
                    5.0 * wave(0.3) - 1.0,
                ]
            })
            .collect();
        let all: Vec<&[f32]> = vectors.iter().map(Vec::as_slice).collect();
        let plane = Plane::new(&all).unwrap();
        let spread = |axis: usize| {
            let places = all.iter().map(|vector| plane.place(vector)[axis]);
            let places: Vec<f32> = places.collect();
            let mean = places.iter().sum::<f32>() / 100.0;
            assert!(mean.abs() < 1e-4, "{mean}");
            places.iter().map(|place| place * place).sum::<f32>() / 100.0
        };
        assert!((spread(0) - 12.5).abs() < 1.0, "{}", spread(0));
        assert!((spread(1) - 2.0).abs() < 0.3, "{}", spread(1));
    }

    #[test]
    fn vectors_without_directions_have_a_place_too() {
        assert!(Plane::new(&[]).is_none());
        let same = [[1.0f32, 2.0]; 3];
        let all: Vec<&[f32]> = same.iter().map(|vector| &vector[..]).collect();
        assert_eq!(Plane::new(&all).unwrap().place(&same[0]), [0.0, 0.0]);
    }
}
