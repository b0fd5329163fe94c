//! The split of a user's rows into training and held-out rows.

use lab_model::examples::shuffle;
use lab_model::random::{Purpose, Random};
use std::collections::HashMap;
use std::hash::Hash;

/// Rows to learn from and held-out rows, both in the order in which they were given.
#[derive(Clone, Debug, PartialEq)]
pub struct Split<T> {
    pub training: Vec<T>,
    pub validation: Vec<T>,
}

/// Holds out a `fraction` of the rows, rounded down; the seed chooses them. Rows with the same `prompt` stay
/// together, so no held-out row was trained on. If all rows have one prompt, equal `whole` rows stay together
/// instead.
pub fn split<T, P: Hash + Eq, W: Hash + Eq>(
    rows: Vec<T>,
    fraction: f64,
    seed: u64,
    prompt: impl Fn(&T) -> P,
    whole: impl Fn(&T) -> W,
) -> Split<T> {
    let mut groups = grouped(&rows, prompt);
    if groups.len() == 1 {
        groups = grouped(&rows, whole);
    }
    let wanted =
        rows.len() - ((rows.len() as f64 * (1.0 - fraction)).ceil() as usize).min(rows.len());
    shuffle(&mut groups, &mut Random::new(seed, Purpose::Split, 0));
    let mut is_held_out = vec![false; rows.len()];
    let mut count = 0;
    // One group is always learned from, whatever its size.
    for group in groups.iter().skip(1) {
        if count + group.len() <= wanted {
            count += group.len();
            group.iter().for_each(|&place| is_held_out[place] = true);
        }
    }
    let (mut training, mut validation) = (Vec::new(), Vec::new());
    for (row, is_held_out) in rows.into_iter().zip(is_held_out) {
        match is_held_out {
            true => validation.push(row),
            false => training.push(row),
        }
    }
    Split {
        training,
        validation,
    }
}

/// Indices of the rows of each key, in the order of the keys' first rows.
fn grouped<T, K: Hash + Eq>(rows: &[T], key: impl Fn(&T) -> K) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut known = HashMap::new();
    for (place, row) in rows.iter().enumerate() {
        let group = *known.entry(key(row)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(place);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(rows: &[(u8, u8)], fraction: f64, seed: u64) -> Split<(u8, u8)> {
        split(rows.to_vec(), fraction, seed, |row| row.0, |row| *row)
    }

    #[test]
    fn the_seed_chooses_and_not_the_place() {
        let rows: Vec<(u8, u8)> = (0..100).map(|n| (n, n)).collect();
        let found = of(&rows, 0.1, 1);
        assert_eq!((found.training.len(), found.validation.len()), (90, 10));
        assert_ne!(found.validation, rows[90..]);
        assert_eq!(found, of(&rows, 0.1, 1));
        assert_ne!(found.validation, of(&rows, 0.1, 2).validation);
        assert!(of(&rows, 0.0, 1).validation.is_empty());
        assert_eq!(of(&rows[..1], 0.5, 1).training.len(), 1);
    }

    #[test]
    fn of_one_prompt_rows_are_held_out() {
        let rows: Vec<(u8, u8)> = (0..40).map(|n| (0, n / 2)).collect();
        let found = of(&rows, 0.1, 1);
        assert_eq!(found.validation.len(), 4);
        assert!(
            found
                .validation
                .iter()
                .all(|row| !found.training.contains(row))
        );
    }

    proptest! {
        #[test]
        fn no_prompt_is_on_both_sides_and_no_row_is_lost(rows in prop::collection::vec((0u8..20, 0u8..3), 2..60), fraction in 0.0..0.9, seed in 0u64..9) {
            let found = of(&rows, fraction, seed);
            prop_assert!(!found.training.is_empty());
            prop_assert!(found.validation.len() as f64 <= rows.len() as f64 * fraction + 1e-9);
            if rows.iter().any(|row| row.0 != rows[0].0) {
                let prompts = |rows: &[(u8, u8)]| rows.iter().map(|row| row.0).collect::<Vec<_>>();
                let trained = prompts(&found.training);
                prop_assert!(prompts(&found.validation).iter().all(|prompt| !trained.contains(prompt)));
            }
            let mut all = [found.training, found.validation].concat();
            let mut rows = rows;
            all.sort_unstable();
            rows.sort_unstable();
            prop_assert_eq!(all, rows);
        }
    }
}
