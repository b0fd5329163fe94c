//! The files of a finished run.

use super::base::Base;
use super::folders::inside;
use burn::tensor::Device;
use lab_model::formats::WeightForm;
use lab_protocol::{ErrorCode, LabError, ModelFile, text};
use std::cell::RefCell;
use std::rc::Rc;

/// The files of a finished run, opened to answer prompts.
pub struct RunFiles<'a> {
    files: &'a [ModelFile],
    device: &'a Device,
    /// The model, once it is read.
    model: RefCell<Option<Rc<Base>>>,
}

impl<'a> RunFiles<'a> {
    pub fn new(files: &'a [ModelFile], device: &'a Device) -> Self {
        Self {
            files,
            device,
            model: RefCell::default(),
        }
    }

    /// All files, e.g. `model/config.json`.
    pub fn all(&self) -> &'a [ModelFile] {
        self.files
    }

    pub fn device(&self) -> &Device {
        self.device
    }

    /// The files in a folder of the run, with paths relative to it.
    pub fn folder(&self, name: &str) -> Vec<ModelFile> {
        inside(name, self.files)
    }

    /// The bytes of a file outside the model, e.g. `index/index.bin`.
    pub fn bytes(&self, path: &str) -> Result<&'a [u8], LabError> {
        let file = self.files.iter().find(|file| file.path == path);
        let file = file.ok_or_else(|| {
            LabError::new(
                ErrorCode::InvalidData,
                text!("the run has no {path}", path),
                "Run the strategy again.",
            )
        })?;
        Ok(&file.bytes)
    }

    /// The model in `model/`, with the adapter in `adapter/`, read once; `None` if the run left no model.
    pub async fn model(&self) -> Result<Option<Rc<Base>>, LabError> {
        if !self
            .files
            .iter()
            .any(|file| file.path.starts_with("model/"))
        {
            return Ok(None);
        }
        let known = self.model.borrow().clone();
        if known.is_some() {
            return Ok(known);
        }
        let model = Rc::new(Base::read(self.files.into(), WeightForm::Floats, self.device).await?);
        *self.model.borrow_mut() = Some(model.clone());
        Ok(Some(model))
    }
}
