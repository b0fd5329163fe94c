//! Who lives in the village, and what is true of them.

use crate::attribute::Attribute;
use crate::choices::Choices;
use crate::names::{Name, NameBook, NamePool};
use crate::random::{Purpose, Random};
use crate::settings::{VillageSettings, thousandths};
use crate::words;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Somebody of whom every attribute is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub name: Name,
    /// In the order of [`Attribute::OF_PEOPLE`].
    values: Vec<String>,
}

impl Person {
    /// What is true of the person; empty for an attribute that only shops have.
    pub fn value(&self, attribute: Attribute) -> &str {
        let position = Attribute::OF_PEOPLE
            .iter()
            .position(|other| *other == attribute);
        position.map_or("", |index| &self.values[index])
    }
}

impl Serialize for Person {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name.to_string())?;
        map.serialize_entry("pronoun", if self.name.woman { "she" } else { "he" })?;
        for attribute in Attribute::OF_PEOPLE {
            map.serialize_entry(attribute.name(), self.value(attribute))?;
        }
        map.end()
    }
}

/// A shop, in a street, that sells one thing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Shop {
    /// Without the article that texts put before it.
    pub name: &'static str,
    pub street: &'static str,
    pub goods: &'static str,
}

impl Shop {
    /// What is true of the shop; empty for an attribute that only people have.
    pub fn value(&self, attribute: Attribute) -> &str {
        match attribute {
            Attribute::Street => self.street,
            Attribute::Goods => self.goods,
            _ => "",
        }
    }

    /// As it stands within a sentence.
    pub fn full_name(&self) -> String {
        format!("the {}", self.name)
    }
}

/// The people and shops, those who are only passing through, and those who are new.
pub struct World {
    pub people: Vec<Person>,
    pub shops: Vec<Shop>,
    /// Described by documents that nobody trains on.
    pub newcomers: Vec<Person>,
    pub(crate) travellers: NamePool,
    pub(crate) readers: NamePool,
    pub(crate) judged_readers: NamePool,
    /// How many words of each list are in use.
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
            judged_readers: names.judged_readers,
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

/// Whom a text speaks of.
pub(crate) enum Character<'w> {
    Known(&'w Person),
    Shop(&'w Shop),
    /// Somebody whose attributes are drawn when they are first told.
    Drawn(Box<Drawn<'w>>),
}

pub(crate) struct Drawn<'w> {
    world: &'w World,
    /// Where the best friend's name comes from.
    pool: &'w NamePool,
    name: Name,
    values: [Option<String>; Attribute::OF_PEOPLE.len()],
}

impl<'w> Character<'w> {
    pub fn drawn(world: &'w World, pool: &'w NamePool, name: Name) -> Self {
        Character::Drawn(Box::new(Drawn {
            world,
            pool,
            name,
            values: Default::default(),
        }))
    }

    /// None for a shop.
    pub fn name(&self) -> Option<Name> {
        match self {
            Character::Known(person) => Some(person.name),
            Character::Drawn(drawn) => Some(drawn.name),
            Character::Shop(_) => None,
        }
    }

    pub fn value(&mut self, attribute: Attribute, choices: &mut Choices) -> String {
        match self {
            Character::Known(person) => person.value(attribute).to_owned(),
            Character::Shop(shop) => shop.value(attribute).to_owned(),
            Character::Drawn(drawn) => drawn.value(attribute, choices),
        }
    }
}

impl Drawn<'_> {
    fn value(&mut self, attribute: Attribute, choices: &mut Choices) -> String {
        let Some(index) = Attribute::OF_PEOPLE
            .iter()
            .position(|other| *other == attribute)
        else {
            return String::new();
        };
        if self.values[index].is_none() {
            let value = match attribute {
                Attribute::Friend => self.pool.draw(choices, &[self.name]).to_string(),
                _ => {
                    let values = self.world.values_of(attribute);
                    values[choices.evenly(values.len())].to_owned()
                }
            };
            self.values[index] = Some(value);
        }
        self.values[index].clone().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Preset;
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
            let (least, most) = (
                counts.values().min().unwrap(),
                counts.values().max().unwrap(),
            );
            assert!(most - least <= 1, "{}: {counts:?}", attribute.name());
        }
    }
}
