//! Python, where it is installed with the packages that a test compares with.

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

/// An interpreter: `LAB_PYTHON` where it is set, else `python3`.
pub struct Python {
    program: String,
}

/// The interpreter, if it has these packages; if not, a message that the test is skipped.
pub fn with(packages: &[&str]) -> Option<Python> {
    let program = std::env::var("LAB_PYTHON").unwrap_or_else(|_| "python3".into());
    let found = Command::new(&program)
        .args(["-c", &format!("import {}", packages.join(", "))])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        println!(
            "skipped: {program} has not all of {}; name an interpreter that has them in LAB_PYTHON",
            packages.join(", ")
        );
    }
    found.then_some(Python { program })
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
        assert!(output.status.success(), "the script failed");
        serde_json::from_slice(&output.stdout).expect("the script prints JSON")
    }
}
