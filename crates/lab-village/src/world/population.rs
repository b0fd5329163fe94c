//! All people and shops, drawn from the settings.

use super::attribute::Attribute;
use super::names::{Name, NameBook, NamePool};
use super::people::{Person, Shop};
use super::settings::{VillageSettings, thousandths};
use super::words;
use crate::random::{Purpose, Random};

/// The residents and shops, the travellers who pass through, and the new people.
pub struct World {
    pub people: Vec<Person>,
    pub shops: Vec<Shop>,
    /// Described only by documents that are never trained on.
    pub newcomers: Vec<Person>,
    pub(crate) travellers: NamePool,
    pub(crate) readers: NamePool,
    pub(crate) held_out_readers: NamePool,
    /// Number of words of each list that are in use.
    values: usize,
    /// Documents about travellers in a thousand.
    pub(crate) travellers_share: u32,
}

impl World {
    pub(crate) fn new(settings: &VillageSettings) -> Self {
        let mut random = Random::new(settings.seed, Purpose::World);
        let names = NameBook::new(
            &mut random,
            settings.first_names,
            settings.surnames,
            settings.people,
            settings.new_people,
        );
        let people = settle(&mut random, &names.residents, settings.values);
        let shops = open_shops(&mut random, settings);
        let newcomers = settle(&mut random, &names.newcomers, settings.values);
        Self {
            people,
            shops,
            newcomers,
            travellers: names.travellers,
            readers: names.readers,
            held_out_readers: names.held_out_readers,
            values: settings.values,
            travellers_share: thousandths(settings.travellers),
        }
    }

    /// The values that `attribute` can have here; empty for a friend.
    pub fn values_of(&self, attribute: Attribute) -> &'static [&'static str] {
        values_in_use(attribute, self.values)
    }
}

fn values_in_use(attribute: Attribute, values: usize) -> &'static [&'static str] {
    let all = attribute.vocabulary();
    &all[..values.min(all.len())]
}

/// Gives everyone values, each as often as any other, and a best friend among the others: friendship
/// goes round in a ring.
fn settle(random: &mut Random, names: &[Name], values: usize) -> Vec<Person> {
    let mut people: Vec<Person> = names
        .iter()
        .map(|&name| Person {
            name,
            values: Vec::with_capacity(Attribute::OF_PEOPLE.len()),
        })
        .collect();
    for attribute in Attribute::OF_PEOPLE {
        if attribute == Attribute::Friend {
            let mut ring: Vec<usize> = (0..names.len()).collect();
            random.shuffle(&mut ring);
            let mut friends = vec![0; names.len()];
            for (position, &person) in ring.iter().enumerate() {
                friends[person] = ring[(position + 1) % ring.len()];
            }
            for (person, friend) in people.iter_mut().zip(friends) {
                person.values.push(names[friend].to_string());
            }
        } else {
            let drawn = random.balanced(values_in_use(attribute, values), names.len());
            for (person, value) in people.iter_mut().zip(drawn) {
                person.values.push(value.to_owned());
            }
        }
    }
    people
}

fn open_shops(random: &mut Random, settings: &VillageSettings) -> Vec<Shop> {
    let streets = random.balanced(
        values_in_use(Attribute::Street, settings.values),
        settings.shops,
    );
    let goods = random.balanced(
        values_in_use(Attribute::Goods, settings.values),
        settings.shops,
    );
    words::SHOPS[..settings.shops]
        .iter()
        .zip(streets)
        .zip(goods)
        .map(|((name, street), goods)| Shop {
            name,
            street,
            goods,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::settings::Preset;
    use std::collections::BTreeMap;

    #[test]
    fn everybody_has_every_attribute_and_a_friend_who_exists() {
        for preset in Preset::ALL {
            let world = World::new(&VillageSettings::preset(preset, 3));
            for people in [&world.people, &world.newcomers] {
                let names: Vec<String> = people
                    .iter()
                    .map(|person| person.name.to_string())
                    .collect();
                for (person, name) in people.iter().zip(&names) {
                    assert!(
                        Attribute::OF_PEOPLE
                            .iter()
                            .all(|a| !person.value(*a).is_empty())
                    );
                    let friend = person.value(Attribute::Friend);
                    assert!(
                        friend != name && names.iter().any(|other| other == friend),
                        "{name}: {friend}"
                    );
                }
            }
            assert!(
                world
                    .shops
                    .iter()
                    .all(|shop| !shop.street.is_empty() && !shop.goods.is_empty())
            );
        }
    }

    #[test]
    fn no_value_is_much_more_common_than_another() {
        let world = World::new(&VillageSettings::preset(Preset::Village, 4));
        for attribute in Attribute::OF_PEOPLE {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for person in &world.people {
                *counts.entry(person.value(attribute)).or_default() += 1;
            }
            let (minimum, maximum) = (
                counts.values().min().unwrap(),
                counts.values().max().unwrap(),
            );
            assert!(maximum - minimum <= 1, "{}: {counts:?}", attribute.name());
        }
    }
}
