//! Names and shapes of a model's weights: ours, and the ones in files.

mod family;
mod places;
mod targets;
mod weights;

pub use family::Layer;
pub(crate) use family::{Family, family, fan_in_fan_out};
pub(crate) use places::{Place, places};
pub(crate) use targets::no_match;
pub use targets::{Target, chosen_targets, targets};
pub(crate) use weights::is_of_linear_layer;
pub use weights::weight_shapes;
