//! The people and shops of the village, and their attributes.

pub(crate) mod attribute;
pub(crate) mod character;
pub(crate) mod names;
pub(crate) mod people;
pub(crate) mod population;
pub(crate) mod settings;
pub(crate) mod words;
