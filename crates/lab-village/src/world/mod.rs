//! Who lives in the village, and what is true of them.

pub(crate) mod attribute;
pub(crate) mod character;
pub(crate) mod names;
pub(crate) mod people;
pub(crate) mod population;
pub(crate) mod settings;
pub(crate) mod words;
