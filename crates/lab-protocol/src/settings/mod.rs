//! Settings: each is declared once, at its field (`lab-protocol-derive`); everything else follows from that.

mod description;
mod place;
mod range;
mod reference;
mod schema;
mod strategies;
mod types;

pub use description::*;
pub use lab_protocol_derive::Settings;
pub use place::*;
pub use range::*;
pub use reference::reference;
pub use schema::{Definitions, definition, schema};
pub use strategies::*;
pub use types::*;
