//! Folders in the files of a run.

use lab_protocol::ModelFile;

/// The files of a folder, with paths relative to it.
pub(crate) fn inside(folder: &str, files: &[ModelFile]) -> Vec<ModelFile> {
    let named = |file: &ModelFile| {
        let name = file.path.strip_prefix(folder)?.strip_prefix('/')?;
        Some(ModelFile {
            path: name.to_owned(),
            bytes: file.bytes.clone(),
        })
    };
    files.iter().filter_map(named).collect()
}

/// Moves files into a folder of the run.
pub(crate) fn in_folder(folder: &str, files: Vec<ModelFile>) -> Vec<ModelFile> {
    let moved = |file: ModelFile| ModelFile {
        path: format!("{folder}/{}", file.path),
        ..file
    };
    files.into_iter().map(moved).collect()
}
