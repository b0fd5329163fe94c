//! The subject of a text: a known person or shop, or a person made up while the text is written.

use super::attribute::Attribute;
use super::names::{Name, NamePool};
use super::people::{Person, Shop};
use super::population::World;
use crate::choices::Choices;

/// The subject of a text.
pub(crate) enum Character<'w> {
    Known(&'w Person),
    Shop(&'w Shop),
    /// A person whose attributes are drawn when they are first stated.
    Drawn(Box<Drawn<'w>>),
}

pub(crate) struct Drawn<'w> {
    world: &'w World,
    /// The pool that the name of the best friend is drawn from.
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
