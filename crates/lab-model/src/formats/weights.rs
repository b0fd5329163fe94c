//! A model's weights from a file's tensors and back. All missing and surplus tensors and wrong shapes are reported
//! before anything is allocated; then each tensor is decoded straight into its place.

use super::safetensors::{self, OutTensor};
use super::tensors::{FileTensor, FileTensors, WeightType};
use crate::layout::{Family, Place, family, places};
use crate::parameters::{HostTensor, HostTensors};
use lab_protocol::{ErrorCode, LabError, ModelConfig, text};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// Rows that are decoded at once if they become columns.
const ROWS: usize = 32;
/// Maximum number of faults that are named; the rest is counted.
const NAMED: usize = 12;

/// Assembles our weights from one file after another.
pub struct Gather {
    places: Vec<Place>,
    /// Place and first column of each tensor of the files.
    parts: HashMap<String, (usize, usize)>,
    /// By place, the weights that have been read in part.
    unfinished: HashMap<usize, Unfinished>,
    family: Family,
}

struct Unfinished {
    weight: HostTensor,
    parts_left: usize,
}

impl Gather {
    pub fn new(config: &ModelConfig, vocabulary: usize) -> Self {
        let places = places(config, vocabulary);
        let mut parts = HashMap::new();
        for (index, place) in places.iter().enumerate() {
            let mut start = 0;
            for (name, width) in &place.theirs {
                parts.insert(name.clone(), (index, start));
                start += width;
            }
        }
        Self {
            places,
            parts,
            unfinished: HashMap::new(),
            family: family(config),
        }
    }

    /// The known name of a tensor: GPT-2's files come with and without this prefix.
    fn known<'n>(&self, name: &'n str) -> Cow<'n, str> {
        let bare = self.family == Family::Gpt2
            && !name.starts_with("transformer.")
            && name != "lm_head.weight";
        if bare {
            Cow::Owned(format!("transformer.{name}"))
        } else {
            Cow::Borrowed(name)
        }
    }

    /// Compares the tensors of files, by name and shape, with the weights that the model needs.
    pub fn check<'n>(
        &self,
        found: impl IntoIterator<Item = (&'n str, &'n [usize])>,
    ) -> Result<(), LabError> {
        let mut faults = Vec::new();
        let mut found_shapes = BTreeMap::new();
        for (name, shape) in found {
            let name = self.known(name);
            if !self.parts.contains_key(&*name) && !self.may_be_left_out(&name) {
                faults.push(format!("{name} is not a weight of this model"));
            }
            if found_shapes.insert(name.clone(), shape).is_some() {
                faults.push(format!("{name} is there twice"));
            }
        }
        for place in &self.places {
            for (name, width) in &place.theirs {
                let expected = place.file_shape(*width);
                match found_shapes.get(name.as_str()) {
                    None => faults.push(format!("{name} is missing")),
                    Some(shape) if **shape != expected => {
                        faults.push(format!("{name} has the shape {shape:?}, not {expected:?}"));
                    }
                    Some(_) => {}
                }
            }
        }
        if faults.is_empty() {
            return Ok(());
        }
        if let Some(more) = faults.len().checked_sub(NAMED).filter(|&more| more > 0) {
            faults.truncate(NAMED);
            faults.push(format!("and {more} more"));
        }
        Err(LabError::new(
            ErrorCode::InvalidCheckpoint,
            text!(
                "the weights do not fit config.json: {faults}",
                faults = faults.join("; ")
            ),
            "Use the config.json that belongs to the weights.",
        ))
    }

    /// A tied head may be in the file a second time; masks and angles are not weights.
    fn may_be_left_out(&self, name: &str) -> bool {
        (name == "lm_head.weight" && self.family != Family::Own)
            || name.ends_with(".attn.bias")
            || name.ends_with(".attn.masked_bias")
            || name.ends_with("rotary_emb.inv_freq")
    }

    /// The weights that a file's tensors complete, under our names; [`Gather::check`] must have seen the tensors.
    /// Each is decoded when it is requested, so few need be in memory at once.
    pub fn whole<'t>(
        &'t mut self,
        tensors: &'t FileTensors<'_>,
    ) -> impl Iterator<Item = (String, HostTensor)> + 't {
        tensors
            .iter()
            .filter_map(|(name, tensor)| self.add(name, tensor))
    }

    /// Decodes a tensor into its place, and returns the weight if it is complete now.
    fn add(&mut self, name: &str, tensor: &FileTensor<'_>) -> Option<(String, HostTensor)> {
        let &(index, start) = self.parts.get(&*self.known(name))?;
        let place = self.places.get(index)?;
        let mut unfinished = self
            .unfinished
            .remove(&index)
            .unwrap_or_else(|| Unfinished {
                weight: HostTensor {
                    values: vec![0.0; place.shape.iter().product()],
                    shape: place.shape.clone(),
                },
                parts_left: place.theirs.len(),
            });
        if place.transposed {
            fill_columns(tensor, start, &mut unfinished.weight);
        } else {
            fill_rows(tensor, start, &mut unfinished.weight);
        }
        unfinished.parts_left -= 1;
        if unfinished.parts_left == 0 {
            return Some((place.ours.clone(), unfinished.weight));
        }
        self.unfinished.insert(index, unfinished);
        None
    }
}

/// Copies rows of the file beside each other into ours, from column `start` on.
fn fill_rows(tensor: &FileTensor<'_>, start: usize, weight: &mut HostTensor) {
    let total = weight.shape.last().copied().unwrap_or(0);
    let columns = tensor.columns();
    if total == columns {
        return tensor.read_rows(0, &mut weight.values);
    }
    for (row, ours) in weight.values.chunks_mut(total.max(1)).enumerate() {
        if let Some(part) = ours.get_mut(start..start + columns) {
            tensor.read_rows(row, part);
        }
    }
}

/// Copies rows of the file as columns of ours, from column `start` on; several at once, since memory is read and
/// written by the cache line.
fn fill_columns(tensor: &FileTensor<'_>, start: usize, weight: &mut HostTensor) {
    let (total, columns) = (weight.shape.last().copied().unwrap_or(0), tensor.columns());
    let rows = tensor.shape().first().copied().unwrap_or(0);
    let mut decoded = vec![0.0; ROWS.min(rows) * columns];
    for first in (0..rows).step_by(ROWS) {
        let count = ROWS.min(rows - first);
        let Some(decoded) = decoded.get_mut(..count * columns) else {
            return;
        };
        tensor.read_rows(first, decoded);
        for (column, ours) in weight.values.chunks_mut(total.max(1)).enumerate() {
            let Some(ours) = ours.get_mut(start + first..start + first + count) else {
                return;
            };
            for (number, row) in ours.iter_mut().zip(decoded.chunks(columns)) {
                *number = row.get(column).copied().unwrap_or(0.0);
            }
        }
    }
}

/// Our weights from the bytes of one safetensors file.
pub fn read_weights(config: &ModelConfig, bytes: &[u8]) -> Result<HostTensors, LabError> {
    let (tensors, _) = safetensors::index(bytes)?;
    let embedding = [
        "model.embed_tokens.weight",
        "transformer.wte.weight",
        "wte.weight",
        "token_embedding",
    ];
    let vocabulary = embedding
        .iter()
        .find_map(|name| tensors.get(*name)?.shape().first())
        .copied()
        .unwrap_or(0);
    let mut gather = Gather::new(config, vocabulary);
    gather.check(tensors.iter().map(|(name, t)| (name.as_str(), t.shape())))?;
    Ok(gather.whole(&tensors).collect())
}

/// Tensors by our names, e.g. weights or gradients, under their names in the file.
pub fn rename_weights(
    config: &ModelConfig,
    weights: &HostTensors,
) -> Result<HostTensors, LabError> {
    let file = file_tensors(config, weights, WeightType::F32)?
        .into_iter()
        .map(|(name, tensor)| {
            let values = (tensor.values)().into_owned();
            let shape = tensor.shape;
            (name, HostTensor { shape, values })
        });
    Ok(file.collect())
}

/// The weights in the layout of a file, each generated when it is requested.
pub fn file_tensors<'a>(
    config: &ModelConfig,
    weights: &'a HostTensors,
    kind: WeightType,
) -> Result<Vec<(String, OutTensor<'a>)>, LabError> {
    let vocabulary = weights
        .get("token_embedding")
        .and_then(|tensor| tensor.shape.first())
        .copied()
        .unwrap_or(0);
    let mut file = Vec::new();
    for place in places(config, vocabulary) {
        let ours = match weights.get(&place.ours) {
            Some(tensor) if tensor.shape == place.shape => {
                kind.check(&place.ours, &tensor.values)?;
                Some(tensor)
            }
            // GPT-2 always has biases: biases that a model was trained without are 0.
            None if place.ours.ends_with("bias") => None,
            _ => {
                return Err(LabError::internal(text!(
                    "the model has no weight {name} of the shape {shape}",
                    name = place.ours,
                    shape = format!("{:?}", place.shape)
                )));
            }
        };
        let mut start = 0;
        for (name, width) in &place.theirs {
            let (first, width, transposed) = (start, *width, place.transposed);
            let out = OutTensor {
                shape: place.file_shape(width),
                kind,
                values: Box::new(move || match ours {
                    Some(tensor) => columns(tensor, first, width, transposed),
                    None => Cow::Owned(vec![0.0; width]),
                }),
            };
            file.push((name.clone(), out));
            start += width;
        }
    }
    Ok(file)
}

/// Columns `start..start + width` of a matrix, as rows if `transposed`; or elements of a vector.
fn columns(tensor: &HostTensor, start: usize, width: usize, transposed: bool) -> Cow<'_, [f32]> {
    let total = tensor.shape.last().copied().unwrap_or(0).max(1);
    if !transposed && width == total {
        return Cow::Borrowed(&tensor.values);
    }
    let rows = tensor.values.len() / total;
    let mut values = Vec::with_capacity(rows * width);
    if transposed {
        for column in start..start + width {
            values.extend(tensor.values.iter().skip(column).step_by(total));
        }
    } else {
        for row in tensor.values.chunks(total) {
            values.extend(row.iter().skip(start).take(width));
        }
    }
    Cow::Owned(values)
}

/// A matrix with rows and columns exchanged.
pub fn transpose(tensor: &HostTensor) -> HostTensor {
    let [rows, width] = tensor.shape[..] else {
        return tensor.clone();
    };
    HostTensor {
        shape: vec![width, rows],
        values: columns(tensor, 0, width, true).into_owned(),
    }
}
