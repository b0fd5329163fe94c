//! People and shops with their attributes.

use super::attribute::Attribute;
use super::names::Name;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A person with a value for every attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub name: Name,
    /// In the order of [`Attribute::OF_PEOPLE`].
    pub(super) values: Vec<String>,
}

impl Person {
    /// The value of an attribute; empty for one that only shops have.
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
    /// The value of an attribute; empty for one that only people have.
    pub fn value(&self, attribute: Attribute) -> &str {
        match attribute {
            Attribute::Street => self.street,
            Attribute::Goods => self.goods,
            _ => "",
        }
    }

    /// The full name within a sentence.
    pub fn full_name(&self) -> String {
        format!("the {}", self.name)
    }
}
