//! Full names, and the groups of people that share them out: full names of held-out people occur in no
//! training data, though their first names and surnames do.

use super::words;
use crate::choices::Choices;
use crate::random::Random;
use std::fmt;

/// A first name and a surname.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    pub first: &'static str,
    pub surname: &'static str,
    /// Whether texts say "she"; else they say "he".
    pub woman: bool,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.first, self.surname)
    }
}

/// The first names and surnames in use, the names given to people, and the names left over.
pub(crate) struct NameBook {
    pub residents: Vec<Name>,
    /// Described by the documents only.
    pub newcomers: Vec<Name>,
    /// Pass through the stories of the text to pretrain on, with other facts each time.
    pub travellers: NamePool,
    /// People in the passages of reading pairs, with other facts each time.
    pub readers: NamePool,
    /// The names of readers in held-out questions.
    pub held_out_readers: NamePool,
}

impl NameBook {
    /// Needs more than `residents + newcomers` full names; the settings see to that.
    pub fn new(
        random: &mut Random,
        first_names: usize,
        surnames: usize,
        residents: usize,
        newcomers: usize,
    ) -> Self {
        let firsts: Vec<(&'static str, bool)> = (0..first_names)
            .map(|index| match index % 2 {
                0 => (words::WOMEN[index / 2], true),
                _ => (words::MEN[index / 2], false),
            })
            .collect();
        let surnames = &words::SURNAMES[..surnames];
        let mut all: Vec<Name> = firsts
            .iter()
            .flat_map(|&(first, woman)| {
                surnames.iter().map(move |&surname| Name {
                    first,
                    surname,
                    woman,
                })
            })
            .collect();
        random.shuffle(&mut all);
        let residents = spread(&mut all, residents);
        let newcomers = spread(&mut all, newcomers);
        let held_out = all.len() / 5;
        let readers = (all.len() - held_out) / 2;
        let held_out_readers = NamePool::new(all.split_off(all.len() - held_out));
        let readers = NamePool::new(all.split_off(all.len() - readers));
        Self {
            residents,
            newcomers,
            travellers: NamePool::new(all),
            readers,
            held_out_readers,
        }
    }
}

/// Takes `count` names such that no first name and no surname is used more often than need be.
fn spread(all: &mut Vec<Name>, count: usize) -> Vec<Name> {
    let mut taken: Vec<Name> = Vec::with_capacity(count);
    let mut limit = 1;
    while taken.len() < count {
        let mut index = 0;
        while index < all.len() && taken.len() < count {
            let name = all[index];
            let uses =
                |same: &dyn Fn(&Name) -> bool| taken.iter().filter(|other| same(other)).count();
            if uses(&|other| other.first == name.first) < limit
                && uses(&|other| other.surname == name.surname) < limit
            {
                taken.push(all.swap_remove(index));
            } else {
                index += 1;
            }
        }
        limit += 1;
    }
    taken
}

/// Names to draw from, grouped by first name: the two halves are two decisions.
pub(crate) struct NamePool {
    groups: Vec<Vec<Name>>,
}

impl NamePool {
    fn new(mut names: Vec<Name>) -> Self {
        names.sort();
        let mut groups: Vec<Vec<Name>> = Vec::new();
        for name in names {
            match groups.last_mut() {
                Some(group) if group[0].first == name.first => group.push(name),
                _ => groups.push(vec![name]),
            }
        }
        Self { groups }
    }

    /// A name that is not in `taken`; every other one is equally likely.
    pub fn draw(&self, choices: &mut Choices, taken: &[Name]) -> Name {
        let free = |group: &Vec<Name>| {
            group.len() - taken.iter().filter(|name| group.contains(name)).count()
        };
        let weights: Vec<u32> = self.groups.iter().map(|group| free(group) as u32).collect();
        let group = &self.groups[choices.choose(&weights)];
        let weights: Vec<u32> = group
            .iter()
            .map(|name| u32::from(!taken.contains(name)))
            .collect();
        group[choices.choose(&weights)]
    }

    /// A name that is not in `taken` and shares its first name or its surname with `like`, if there is one.
    pub fn draw_like(&self, choices: &mut Choices, like: Name, taken: &[Name]) -> Option<Name> {
        let similar: Vec<Name> = self
            .all()
            .filter(|name| {
                (name.first == like.first || name.surname == like.surname) && !taken.contains(name)
            })
            .collect();
        (!similar.is_empty()).then(|| similar[choices.evenly(similar.len())])
    }

    pub fn all(&self) -> impl Iterator<Item = Name> {
        self.groups.iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_has_one_use() {
        let mut random = Random::new(1, Purpose::World);
        let book = NameBook::new(&mut random, 24, 24, 24, 40);
        let groups = [
            book.residents.clone(),
            book.newcomers.clone(),
            book.travellers.all().collect(),
            book.readers.all().collect(),
            book.held_out_readers.all().collect(),
        ];
        let all: BTreeSet<Name> = groups.iter().flatten().copied().collect();
        assert_eq!(all.len(), 24 * 24);
        assert_eq!(groups.iter().map(Vec::len).sum::<usize>(), 24 * 24);
        assert!(groups.iter().all(|group| group.len() >= 24));
    }

    #[test]
    fn as_many_residents_as_names_share_few() {
        let mut random = Random::new(1, Purpose::World);
        let residents = NameBook::new(&mut random, 24, 24, 24, 4).residents;
        let firsts: BTreeSet<_> = residents.iter().map(|name| name.first).collect();
        assert!(firsts.len() >= 20, "{}", firsts.len());
    }

    #[test]
    fn a_drawn_name_is_free_and_like_what_was_asked_for() {
        let mut random = Random::new(2, Purpose::World);
        let book = NameBook::new(&mut random, 8, 8, 8, 4);
        let mut choices = Choices::drawn(&mut random);
        let first = book.readers.draw(&mut choices, &[]);
        for _ in 0..50 {
            let second = book.readers.draw(&mut choices, &[first]);
            assert_ne!(first, second);
            if let Some(like) = book.readers.draw_like(&mut choices, first, &[first]) {
                assert!(
                    like != first && (like.first == first.first || like.surname == first.surname)
                );
            }
        }
    }
}
