//! `#[derive(Settings)]` states a setting once, at its field:
//!
//! ```ignore
//! #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
//! #[serde(default, deny_unknown_fields)]
//! #[settings(check = Self::fits)]
//! pub struct TrainingConfig {
//!     /// Updates of the weights.
//!     #[setting(range = 1..=10_000_000, default = 500)]
//!     pub steps: usize,
//!     /// Seconds after which an attempt is given up.
//!     ///
//!     /// Only the first paragraph is shown on the page.
//!     #[setting(label = "Time limit", range = 0.1..=3600.0, default = 60.0, unit = "s", group = Answers)]
//!     pub timeout: f64,
//!     /// Low-rank adapters.
//!     #[setting(group = Adapter, when(method = "lora" | "qlora"))]
//!     pub lora: LoraConfig,
//! }
//! ```
//!
//! - On a struct: `lab_protocol::Settings` (its description), `validate` (every range, every part, then the
//!   function that `check` names), and `Default` if serde takes missing fields from it.
//! - On an enum without fields: the values of a choice, named in snake case as serde's `rename_all` names them.
//! - On an enum that serde reads by a `tag`: layouts to choose from, each with settings of its own.
//!
//! | at a field | means |
//! | --- | --- |
//! | the doc comment | the help; its further paragraphs are notes for the reference |
//! | `label = "…"` | its name on the page; the default is the field's name in words |
//! | `range = a..=b`, `a..` | the numbers that are allowed; `ABOVE_ZERO..` leaves 0 out |
//! | `default = value` | the default; else the type's own |
//! | `unit = "…"` | its unit |
//! | `group = Optimiser` | its group on the page; at a part, the group of all its settings |
//! | `when(path = "a" \| "b")` | it counts only while that setting has one of these values |
//! | `none = "…"` | the page's name for the absence of an optional value |
//! | `lines` | a list that is written one entry a line |

mod attributes;
mod choice;
mod fields;
mod object;

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Fields, parse_macro_input};

/// See the crate's documentation.
#[proc_macro_derive(Settings, attributes(setting, settings))]
pub fn settings(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => object::of_struct(input, fields),
            _ => Err(syn::Error::new_spanned(input, "settings need named fields")),
        },
        Data::Enum(data)
            if data
                .variants
                .iter()
                .all(|v| matches!(v.fields, Fields::Unit)) =>
        {
            choice::of_values(input, data)
        }
        Data::Enum(data) => choice::of_layouts(input, data),
        Data::Union(_) => Err(syn::Error::new_spanned(input, "a union has no settings")),
    }
}
