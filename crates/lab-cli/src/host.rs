//! The terminal around a run: a progress bar, samples as they come, files, and Ctrl-C as "stop".

use crate::files::read;
use crate::folder::RunFolder;
use crate::http;
use async_trait::async_trait;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use lab_protocol::{
    AnswerOutcome, Command, ErrorCode, Event, Grounds, LabError, LogLevel, MetricRecord, RunResult,
    Secret, StopReason, text,
};
use lab_strategies::{Host, HttpFailure, HttpRequest, HttpResponse, Network, Receive};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use sysinfo::{ProcessesToUpdate, System};

/// Writes `run.json` when the run has started and its full configuration is known.
type WriteRecord = Box<dyn Fn(&RunFolder, &str, serde_json::Value) -> Result<(), LabError>>;

/// Whether the user pressed Ctrl-C.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on Ctrl-C is a wish to stop.
    pub fn listen() -> Result<Self, LabError> {
        let interrupt = Self::default();
        let flag = interrupt.0.clone();
        ctrlc::set_handler(move || {
            // The second time, the user does not want to wait for the current step.
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
        })
        .map_err(|error| {
            LabError::new(
                ErrorCode::Io,
                text!("Ctrl-C cannot be caught: {error}", error),
                "Run it in an ordinary terminal.",
            )
        })?;
        Ok(interrupt)
    }
}

pub struct TerminalHost {
    folder: RunFolder,
    /// Printed before each line if several runs write.
    label: String,
    write_record: WriteRecord,
    metrics: RefCell<Option<File>>,
    bars: MultiProgress,
    bar: ProgressBar,
    last: Cell<(f64, f64)>,
    interrupt: Interrupt,
    stop_sent: Cell<bool>,
    failure: RefCell<Option<LabError>>,
}

impl TerminalHost {
    pub fn new(
        folder: RunFolder,
        label: String,
        bars: MultiProgress,
        interrupt: Interrupt,
        write_record: WriteRecord,
    ) -> Self {
        let bar = bars.add(ProgressBar::no_length());
        if let Ok(style) = ProgressStyle::with_template("{prefix}{bar:30} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(label.clone());
        Self {
            folder,
            label,
            write_record,
            metrics: RefCell::new(None),
            bars,
            bar,
            last: Cell::new((f64::NAN, f64::NAN)),
            interrupt,
            stop_sent: Cell::new(false),
            failure: RefCell::new(None),
        }
    }

    /// Ends the display; an error if something could not be written meanwhile.
    pub fn close(&self) -> Result<(), LabError> {
        self.bar.finish_and_clear();
        self.failure.borrow_mut().take().map_or(Ok(()), Err)
    }

    pub fn summary(&self, result: &RunResult) {
        let reason = match result.stop_reason {
            StopReason::Completed => "all steps done",
            StopReason::EarlyStopping => "stopped early, the validation loss no longer fell",
            StopReason::Stopped => "stopped",
        };
        let mut text = format!(
            "{}: {reason}; {} steps in {:.1} s, kept those of step {}",
            result.strategy, result.steps, result.seconds, result.best_step
        );
        for (name, value) in &result.metrics {
            text.push_str(&format!("\n  {name:<28}{value:.4}"));
        }
        self.print(&text);
    }

    fn write(&self, event: &Event) -> Result<(), LabError> {
        match event {
            Event::Started { run, info } => {
                (self.write_record)(&self.folder, run, info.config.clone())?;
                *self.metrics.borrow_mut() = Some(self.folder.open_metrics(info.first_step)?);
                self.bar.set_length(info.steps as u64);
                self.bar.set_position(info.first_step as u64);
                self.print(&format!(
                    "{}: {} parameters, vocabulary {}, {} tokens to train on, {} held out",
                    info.strategy,
                    info.parameters,
                    info.vocabulary,
                    info.training_tokens,
                    info.validation_tokens
                ));
            }
            Event::Metrics { records, .. } => {
                if let Some(file) = self.metrics.borrow_mut().as_mut() {
                    for record in records {
                        let line = serde_json::to_string(record)
                            .map_err(|error| LabError::internal(error.to_string()))?;
                        writeln!(file, "{line}")
                            .map_err(|error| self.folder.metrics_error(error))?;
                    }
                }
                records.iter().for_each(|record| self.show(record));
            }
            Event::Checkpoint { state, .. } => self.folder.write_checkpoint(state)?,
            Event::Sample {
                step,
                prompt,
                text,
                grounds: Some(grounds),
                ..
            } => self.print(&format!(
                "--- {}step {step} ---\n{}\n{}",
                self.label,
                prompt.trim_end(),
                answer(text, grounds)
            )),
            Event::Sample {
                step, prompt, text, ..
            } => self.print(&format!(
                "--- {}step {step} ---\n{prompt}{text}\n",
                self.label
            )),
            Event::Progress { progress, .. } => {
                let (loss, validation) = self.last.get();
                let validation = if validation.is_nan() {
                    String::new()
                } else {
                    format!(", validation {validation:.4}")
                };
                self.bar.set_position(progress.step as u64);
                self.bar.set_message(format!(
                    "loss {loss:.4}{validation}, {:.0} tokens/s, {:.0} s left",
                    progress.tokens_per_second, progress.seconds_left
                ));
            }
            Event::Log { level, message } => {
                let label = if *level == LogLevel::Warning {
                    "warning: "
                } else {
                    ""
                };
                self.print(&format!("{}{label}{message}", self.label));
            }
            Event::Ready(_)
            | Event::Writing { .. }
            | Event::Map { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Finished { .. }
            | Event::Answer { .. }
            | Event::Passages { .. }
            | Event::Vote { .. }
            | Event::Failed { .. } => {}
        }
        Ok(())
    }

    fn show(&self, record: &MetricRecord) {
        let (loss, validation) = self.last.get();
        let value = |name: &str, old: f64| record.values.get(name).copied().unwrap_or(old);
        self.last
            .set((value("loss", loss), value("validation_loss", validation)));
        // Without a bar, each evaluation is a line.
        if !std::io::stderr().is_terminal() && record.values.contains_key("validation_loss") {
            let validation = value("validation_loss", validation);
            let known = [("loss", loss), ("validation loss", validation)]
                .into_iter()
                .filter(|(_, value)| value.is_finite())
                .map(|(name, value)| format!("{name} {value:.4}"));
            let known = known.collect::<Vec<_>>().join(", ");
            eprintln!("{}step {}: {known}", self.label, record.step);
        }
    }

    fn print(&self, text: &str) {
        self.bars.suspend(|| println!("{text}"));
    }
}

/// An answer and the passages under it, with scores; a star before the passages that it cites.
fn answer(text: &str, grounds: &Grounds) -> String {
    let mut said = match grounds.outcome {
        AnswerOutcome::Answered => format!("{text}\n"),
        AnswerOutcome::NoPassage => "(no passage is close enough)\n".to_owned(),
    };
    for (index, passage) in grounds.passages.iter().enumerate() {
        let star = if passage.cited { '*' } else { ' ' };
        said.push_str(&format!(
            "{star} [{}] {} {}–{}, {:.4}\n",
            index + 1,
            passage.document,
            passage.start,
            passage.end,
            passage.score
        ));
    }
    said
}

#[async_trait(?Send)]
impl Host for TerminalHost {
    fn now(&self) -> f64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64() * 1000.0)
    }

    fn emit(&self, event: Event) {
        if let Err(error) = self.write(&event) {
            self.failure.borrow_mut().get_or_insert(error);
        }
    }

    /// The terminal gives one command, and no pause to wait in: stop, on Ctrl-C or when the disk fails.
    async fn next_command(&self, _wait: bool) -> Option<Command> {
        let wanted = self.interrupt.0.load(Ordering::SeqCst) || self.failure.borrow().is_some();
        (wanted && !self.stop_sent.replace(true)).then(|| Command::Stop { run: String::new() })
    }

    /// Linux tells it; runs side by side share it.
    fn peak_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kilobytes * 1024)
    }

    fn memory(&self) -> Option<u64> {
        memory()
    }
}

/// The program's memory plus the memory that the system, or the container around it, could still give it.
fn memory() -> Option<u64> {
    let mut system = System::new();
    system.refresh_memory();
    let program = sysinfo::get_current_pid().ok()?;
    system.refresh_processes(ProcessesToUpdate::Some(&[program]), false);
    let used = system.process(program)?.memory();
    let container = system.cgroup_limits().map(|limits| limits.free_memory);
    let free = system.available_memory();
    Some(used + free.min(container.unwrap_or(free)))
}

/// The system's connections and environment.
pub struct TerminalNetwork;

#[async_trait(?Send)]
impl Network for TerminalNetwork {
    fn key(&self, variable: &str) -> Result<Option<Secret>, LabError> {
        if variable.is_empty() {
            return Ok(None);
        }
        match std::env::var(variable) {
            Ok(key) if !key.is_empty() => Ok(Some(Secret(key))),
            _ => Err(LabError::config(
                "config.endpoint.key_variable",
                text!("the environment variable {variable} is not set", variable),
                "Put the endpoint's key into it, or leave key_variable empty if it needs none.",
            )),
        }
    }

    async fn post(
        &self,
        request: &HttpRequest<'_>,
        receive: Receive<'_>,
    ) -> Result<HttpResponse, HttpFailure> {
        http::post(request, receive)
    }

    async fn read(&self, address: &str) -> Result<Option<Vec<u8>>, LabError> {
        let path = Path::new(address);
        match path.is_file() {
            true => read(path, "encoder").map(Some),
            false => Ok(None),
        }
    }

    async fn sleep(&self, milliseconds: f64) {
        std::thread::sleep(Duration::from_secs_f64(milliseconds.max(0.0) / 1000.0));
    }
}
