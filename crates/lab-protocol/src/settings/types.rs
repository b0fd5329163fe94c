//! The types that settings have, and the check of their values.

use crate::{Kind, LabError, Object, Range};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A configuration. `#[derive(Settings)]` implements it.
pub trait Settings: Serialize + DeserializeOwned + 'static {
    const OBJECT: &'static Object;

    /// Checks every range and every part, then conditions on several settings. The error names the field.
    fn validate(&self) -> Result<(), LabError>;
}

/// The type of a setting.
pub trait SettingType {
    const KIND: Kind;
    const OPTIONAL: bool = false;

    /// An error at the field `name` unless the value may be there.
    fn check(&self, _name: &'static str, _range: Option<Range>) -> Result<(), LabError> {
        Ok(())
    }
}

impl SettingType for usize {
    const KIND: Kind = Kind::Whole;

    fn check(&self, name: &'static str, range: Option<Range>) -> Result<(), LabError> {
        range.map_or(Ok(()), |range| range.whole(name, *self as u64))
    }
}

impl SettingType for u64 {
    const KIND: Kind = Kind::Whole;

    fn check(&self, name: &'static str, range: Option<Range>) -> Result<(), LabError> {
        range.map_or(Ok(()), |range| range.whole(name, *self))
    }
}

impl SettingType for u32 {
    const KIND: Kind = Kind::Whole;
}

impl SettingType for f64 {
    const KIND: Kind = Kind::Number;

    fn check(&self, name: &'static str, range: Option<Range>) -> Result<(), LabError> {
        range.map_or(Ok(()), |range| range.number(name, *self))
    }
}

impl SettingType for bool {
    const KIND: Kind = Kind::Switch;
}

impl SettingType for String {
    const KIND: Kind = Kind::Text;
}

impl SettingType for Vec<String> {
    const KIND: Kind = Kind::List;
}

impl SettingType for Value {
    const KIND: Kind = Kind::Any;
}

impl SettingType for Map<String, Value> {
    const KIND: Kind = Kind::Any;
}

impl<T: SettingType> SettingType for Option<T> {
    const KIND: Kind = T::KIND;
    const OPTIONAL: bool = true;

    fn check(&self, name: &'static str, range: Option<Range>) -> Result<(), LabError> {
        self.as_ref()
            .map_or(Ok(()), |value| value.check(name, range))
    }
}

impl<T: Settings> SettingType for Vec<T> {
    const KIND: Kind = Kind::Rows(T::OBJECT);

    fn check(&self, name: &'static str, _: Option<Range>) -> Result<(), LabError> {
        for (index, row) in self.iter().enumerate() {
            row.validate()
                .map_err(|error| error.at(&format!("{name}[{index}]")))?;
        }
        Ok(())
    }
}

/// A value in the form of a configuration; null if serde cannot write it.
pub fn json<T: Serialize>(value: T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
