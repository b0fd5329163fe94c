//! `lab run`.

use crate::folder::RunFolder;
use crate::host::TerminalHost;
use lab_orchestrator::{RunRecord, device, prepare};
use lab_protocol::{
    BackendChoice, DataSource, ErrorCode, ExperimentConfig, LabError, from_json, text_from_bytes,
};
use std::path::{Path, PathBuf};
use std::rc::Rc;

#[derive(clap::Args)]
pub struct Arguments {
    /// The experiment, a JSON file.
    experiment: PathBuf,
    /// Folder for the results: run.json, metrics.jsonl, results.json, model/, checkpoints/.
    #[arg(long)]
    out: PathBuf,
    /// The text to train on, any UTF-8 file, instead of the experiment's own.
    #[arg(long)]
    data: Option<PathBuf>,
    /// auto, cpu or wgpu; instead of the experiment's own.
    #[arg(long, value_parser = parse_backend)]
    backend: Option<BackendChoice>,
    /// Instead of the experiment's own.
    #[arg(long)]
    seed: Option<u64>,
    /// Continue the run in --out from its last checkpoint.
    #[arg(long)]
    resume: bool,
}

fn parse_backend(text: &str) -> Result<BackendChoice, String> {
    match text {
        "auto" => Ok(BackendChoice::Auto),
        "cpu" => Ok(BackendChoice::Cpu),
        "wgpu" => Ok(BackendChoice::Wgpu),
        _ => Err("use auto, cpu or wgpu".into()),
    }
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    let mut experiment: ExperimentConfig = from_json(&text_from_bytes(read(
        &arguments.experiment,
        "experiment",
    )?)?)
    .map_err(|error| from_file(error, &arguments.experiment))?;
    experiment.seed = arguments.seed.unwrap_or(experiment.seed);
    experiment.backend = arguments.backend.unwrap_or(experiment.backend);
    if let Some(path) = &arguments.data {
        experiment.data.source = DataSource::User;
        experiment.data.name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
    }
    let text = match (&arguments.data, experiment.data.source) {
        (Some(path), _) => text_from_bytes(read(path, "data")?)?,
        (None, DataSource::BuiltIn) => lab_village::text(&experiment.data.name)?.to_owned(),
        (None, DataSource::User | DataSource::Village) => String::new(),
    };

    // Everything the user can have got wrong is found before the folder is touched.
    let Some(strategy) = experiment
        .strategies
        .first()
        .map(|strategy| strategy.name.clone())
    else {
        return experiment.validate();
    };
    let prepared = prepare(&experiment, &strategy, text, Vec::new())?;
    let folder = RunFolder::new(&arguments.out);
    let checkpoint = folder.claim(arguments.resume)?;

    pollster::block_on(async {
        let device = device::open(experiment.backend).await?;
        let backend = match experiment.backend {
            BackendChoice::Wgpu => BackendChoice::Wgpu,
            BackendChoice::Auto | BackendChoice::Cpu => BackendChoice::Cpu,
        };
        let id = arguments
            .out
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let hash = prepared.data_hash().to_owned();
        let host = Rc::new(TerminalHost::new(
            folder.clone(),
            Box::new(move |host_folder, id, config| {
                host_folder.write_record(&RunRecord::new(
                    id,
                    &experiment,
                    &strategy,
                    backend,
                    &hash,
                    config,
                ))
            }),
        )?);
        let outcome = prepared.execute(id, device, host.clone(), checkpoint).await;
        host.close()?;
        let result = outcome?;
        folder.write_result(&result)?;
        host.summary(&result, &arguments.out);
        Ok(())
    })
}

/// A file that the user named.
fn read(path: &Path, field: &str) -> Result<Vec<u8>, LabError> {
    std::fs::read(path).map_err(|error| {
        LabError::new(
            ErrorCode::InvalidData,
            format!("{} cannot be read: {error}", path.display()),
            "Give the path of a file that exists and may be read.",
        )
        .at(field)
    })
}

/// Says in which file a fault is.
fn from_file(mut error: LabError, path: &Path) -> LabError {
    error.message = format!("{}: {}", path.display(), error.message);
    error
}
