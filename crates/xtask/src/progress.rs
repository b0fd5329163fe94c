//! Shows the current step, its progress and its duration.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::command::{Cmd, last_lines};

/// Interval between lines if no terminal can redraw one.
const QUIET_INTERVAL: Duration = Duration::from_secs(20);

/// The numbered steps of one command.
pub struct Steps {
    total: usize,
    done: usize,
    start: Instant,
    quiet: bool,
}

impl Steps {
    pub fn new(total: usize) -> Self {
        Self {
            total,
            done: 0,
            start: Instant::now(),
            quiet: false,
        }
    }

    /// Steps that are not announced.
    pub fn quiet() -> Self {
        Self {
            quiet: true,
            ..Self::new(0)
        }
    }

    /// Announces the next step.
    pub fn next(&mut self, what: &str) {
        if self.quiet {
            return;
        }
        self.done += 1;
        eprintln!("[{}/{}] {what}", self.done, self.total);
    }

    /// Seconds since the first step began.
    pub fn elapsed(&self) -> u64 {
        self.start.elapsed().as_secs()
    }
}

/// A line that belongs to the step above it.
pub fn note(text: &str) {
    eprintln!("      {text}");
}

/// Runs a build with its output in a log file, and shows the number of crates that are done. `expected` is their
/// final number, if it is known.
pub fn run_logged(cmd: Cmd, log: &Path, expected: Option<usize>) -> Result<()> {
    let shown = cmd.shown().to_string();
    let start = Instant::now();
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file =
        Mutex::new(File::create(log).with_context(|| format!("cannot write {}", log.display()))?);
    let mut child = cmd
        .into_inner()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let built = AtomicUsize::new(0);

    let status = std::thread::scope(|scope| {
        let stdout = stdout.map(|stream| Box::new(stream) as Box<dyn Read + Send>);
        let stderr = stderr.map(|stream| Box::new(stream) as Box<dyn Read + Send>);
        for stream in [stdout, stderr].into_iter().flatten() {
            scope.spawn(|| keep(stream, &file, &built));
        }
        let mut meter = Meter::new(start, expected);
        loop {
            if let Some(status) = child.try_wait()? {
                meter.clear();
                return Ok::<_, std::io::Error>(status);
            }
            std::thread::sleep(Duration::from_millis(50));
            meter.show(built.load(Ordering::Relaxed));
        }
    })?;

    let written = built.load(Ordering::Relaxed);
    if !status.success() {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        bail!(
            "`{shown}` ended with {status}\n{}\n(all of it: {})",
            last_lines(&text, 30),
            log.display()
        );
    }
    if written > 0 || start.elapsed() > Duration::from_secs(5) {
        note(&format!("done in {} s", start.elapsed().as_secs()));
    }
    Ok(())
}

/// Writes a stream into the log and counts the crates it names.
fn keep(stream: impl Read, log: &Mutex<File>, built: &AtomicUsize) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if line.trim_start().starts_with("Compiling ") {
            built.fetch_add(1, Ordering::Relaxed);
        }
        if let Ok(mut log) = log.lock() {
            let _ = writeln!(log, "{line}");
        }
    }
}

/// One line that is redrawn on a terminal, or written now and then elsewhere.
struct Meter {
    start: Instant,
    expected: Option<usize>,
    last: Instant,
    terminal: bool,
    drawn: bool,
}

impl Meter {
    fn new(start: Instant, expected: Option<usize>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self {
            start,
            expected,
            last: start,
            terminal,
            drawn: false,
        }
    }

    fn show(&mut self, built: usize) {
        let interval = if self.terminal {
            Duration::from_millis(500)
        } else {
            QUIET_INTERVAL
        };
        if self.last.elapsed() < interval {
            return;
        }
        self.last = Instant::now();
        let line = line(self.start.elapsed().as_secs(), built, self.expected);
        if self.terminal {
            eprint!("\r\x1b[K      {line}");
            let _ = std::io::stderr().flush();
            self.drawn = true;
        } else {
            note(&line);
        }
    }

    fn clear(&self) {
        if self.drawn {
            eprint!("\r\x1b[K");
        }
    }
}

fn line(seconds: u64, built: usize, expected: Option<usize>) -> String {
    match expected {
        _ if built == 0 => format!("{seconds} s"),
        Some(expected) if expected >= built => {
            format!("{seconds} s, {built} of about {expected} crates")
        }
        _ => format!("{seconds} s, {built} crates"),
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn the_line_tells_only_what_is_known() {
        assert_eq!(line(3, 0, Some(9)), "3 s");
        assert_eq!(line(3, 4, Some(9)), "3 s, 4 of about 9 crates");
        assert_eq!(line(3, 10, Some(9)), "3 s, 10 crates");
        assert_eq!(line(3, 10, None), "3 s, 10 crates");
    }
}
