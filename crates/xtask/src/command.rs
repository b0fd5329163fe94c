//! Starting other programs; errors contain the command and its output.

use anyhow::{Context, Result, bail};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A command line under construction.
pub struct Cmd {
    inner: Command,
    shown: String,
}

impl Cmd {
    /// A program by name or path.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        let shown = Path::new(program)
            .file_name()
            .unwrap_or(program)
            .to_string_lossy()
            .into_owned();
        Self {
            inner: Command::new(program),
            shown,
        }
    }

    /// The cargo that runs this program.
    pub fn cargo() -> Self {
        Self::new(Self::cargo_path())
    }

    /// The path of that cargo.
    pub fn cargo_path() -> OsString {
        std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        // A program given as an argument would drown the message it is part of.
        let text = arg.as_ref().to_string_lossy();
        self.shown.push(' ');
        self.shown
            .push_str(if text.contains('\n') { "…" } else { &text });
        self.inner.arg(arg);
        self
    }

    pub fn args<S: AsRef<OsStr>>(self, args: impl IntoIterator<Item = S>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.inner.current_dir(dir);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(name, value);
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.inner.env_remove(name);
        self
    }

    /// Redirects standard output, so only our result is on it.
    pub fn stdout_to_stderr(mut self) -> Result<Self> {
        use std::os::fd::AsFd;
        let stderr = std::io::stderr().as_fd().try_clone_to_owned()?;
        self.inner.stdout(Stdio::from(stderr));
        Ok(self)
    }

    /// The command as a person would type it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// For callers that stream the output themselves.
    pub fn into_inner(self) -> Command {
        self.inner
    }

    /// Runs it with this program's own input and output.
    pub fn status(mut self) -> Result<ExitStatus> {
        self.inner
            .status()
            .with_context(|| format!("cannot start `{}`", self.shown))
    }

    /// Like `status`, and a failure is an error.
    pub fn run(self) -> Result<()> {
        let shown = self.shown.clone();
        let status = self.status()?;
        if !status.success() {
            bail!("`{shown}` ended with {status}");
        }
        Ok(())
    }

    /// Starts it in place of this program. Returns only if that fails.
    pub fn replace_this_program(mut self) -> anyhow::Error {
        use std::os::unix::process::CommandExt;
        anyhow::Error::new(self.inner.exec()).context(format!("cannot start `{}`", self.shown))
    }

    /// Standard output, trimmed; a failure is an error with the end of standard error.
    pub fn read(mut self) -> Result<String> {
        let output = self
            .inner
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start `{}`", self.shown))?;
        if !output.status.success() {
            let tail = last_lines(&String::from_utf8_lossy(&output.stderr), 12);
            bail!("`{}` ended with {}\n{tail}", self.shown, output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
    }

    /// Whether it succeeds within the time limit; its output is dropped.
    pub fn succeeds_within(mut self, limit: Duration) -> bool {
        self.inner
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let Ok(mut child) = self.inner.spawn() else {
            return false;
        };
        let start = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) if start.elapsed() < limit => {
                    std::thread::sleep(Duration::from_millis(100))
                }
                _ => {
                    // Our own process, which is late; its unfinished work is provided another way.
                    let _ = child.kill();
                    let _ = child.wait();
                    return false;
                }
            }
        }
    }
}

/// The full path of a program on the search path.
pub fn which(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The last `count` lines that are not empty.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_says_what_it_was_and_what_it_answered() {
        let error = Cmd::new("sh")
            .args(["-c", "echo reason >&2; exit 3"])
            .read()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("sh -c") && error.contains("reason") && error.contains('3'),
            "{error}"
        );
    }

    #[test]
    fn a_late_command_is_ended() {
        let start = Instant::now();
        assert!(
            !Cmd::new("sleep")
                .arg("30")
                .succeeds_within(Duration::from_millis(200))
        );
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        assert_eq!(last_lines("a\n\nb\nc\n", 2), "b\nc");
    }
}
