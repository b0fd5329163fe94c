//! Python, which tests compare with. Whether it has the packages of a test is known when the tests are built
//! (`build.rs`).

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

/// An interpreter.
pub struct Python {
    program: String,
}

impl Default for Python {
    /// `LAB_PYTHON` if it is set, else `python3`.
    fn default() -> Self {
        let program = std::env::var("LAB_PYTHON").unwrap_or_else(|_| "python3".into());
        Self { program }
    }
}

impl Python {
    /// Runs a script that reads one JSON value and prints one.
    pub fn run(&self, script: &str, input: &Value) -> Value {
        let mut child = Command::new(&self.program)
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut stdin = child.stdin.take().expect("its input is piped");
        stdin.write_all(input.to_string().as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{} failed at the script",
            self.program
        );
        serde_json::from_slice(&output.stdout).expect("the script prints JSON")
    }
}
