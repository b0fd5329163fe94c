//! `lab run`.

use crate::compare;
use crate::executor::ThreadExecutor;
use crate::files::{read, write_json};
use crate::host::Interrupt;
use indicatif::MultiProgress;
use lab_orchestrator::LabOrchestrator;
use lab_protocol::{
    BackendChoice, DataSource, ExperimentConfig, LabError, Outcome, from_json, text,
    text_from_bytes,
};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// The experiment, a JSON file.
    experiment: PathBuf,
    /// Folder for the results: run.json, metrics.jsonl, results.json, model/, checkpoints/; of an
    /// experiment with several strategies, a folder of these for each, and comparison.json.
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
    /// Continue the runs in --out: finished runs are kept, others continue from their last checkpoint.
    #[arg(long)]
    resume: bool,
    /// Strategies that do not depend on each other and are run at a time.
    #[arg(long, default_value_t = 2)]
    parallel: usize,
}

pub fn parse_backend(text: &str) -> Result<BackendChoice, String> {
    match text {
        "auto" => Ok(BackendChoice::Auto),
        "cpu" => Ok(BackendChoice::Cpu),
        "wgpu" => Ok(BackendChoice::Wgpu),
        _ => Err("use auto, cpu or wgpu".into()),
    }
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    let experiment = experiment(&arguments)?;
    let text = match (&arguments.data, experiment.data.source) {
        (Some(path), _) => text_from_bytes(read(path, "data")?)?,
        (None, DataSource::BuiltIn) => lab_village::text(&experiment.data.name)?.to_owned(),
        (None, DataSource::User | DataSource::Village) => String::new(),
    };

    let name = experiment.name.clone();
    let several = experiment.strategies.len() > 1;
    let executor = ThreadExecutor {
        out: arguments.out.clone(),
        text,
        resume: arguments.resume,
        interrupt: Interrupt::listen()?,
        bars: MultiProgress::new(),
    };
    let mut orchestrator = LabOrchestrator::new(executor, arguments.parallel);
    // Everything the user can have got wrong is found here, before the folder is touched.
    orchestrator.create_experiment(experiment)?;
    let outcomes = pollster::block_on(orchestrator.run_experiment(&name))?
        .outcomes
        .clone();
    if several {
        let comparison = orchestrator.compare_strategies(&name)?;
        write_json(&arguments.out.join("comparison.json"), &comparison)?;
        println!("\n{}", compare::table(&comparison));
    }
    for outcome in &outcomes {
        if let Outcome::Skipped { strategy, because } = outcome {
            eprintln!("{strategy} was not run: {because}");
        }
    }
    let failed = outcomes.into_iter().find_map(|outcome| match outcome {
        Outcome::Failed { error, .. } => Some(error),
        _ => None,
    });
    if let Some(error) = failed {
        return Err(error);
    }
    println!("results in {}", arguments.out.display());
    Ok(())
}

/// The experiment's file; arguments of the command line take precedence.
fn experiment(arguments: &Arguments) -> Result<ExperimentConfig, LabError> {
    let text = text_from_bytes(read(&arguments.experiment, "experiment")?)?;
    let mut experiment: ExperimentConfig =
        from_json(&text).map_err(|error| from_file(error, &arguments.experiment))?;
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
    Ok(experiment)
}

/// Says in which file a fault is.
fn from_file(mut error: LabError, path: &Path) -> LabError {
    error.message = text!(
        "{path}: {message}",
        path = path.display(),
        message = error.message
    );
    error
}
