//! Passes a test runner's output on and reads its count from it.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use crate::command::Cmd;

/// Numbers of tests that a runner counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Counts {
    pub fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

/// The result that a runner printed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub counts: Counts,
    /// The skipped tests by name, each with the reason if the runner gives one.
    pub skipped: Vec<String>,
}

/// Runs it with its output shown. The error says how it ended, if that was not well.
pub fn run_counted(cmd: Cmd) -> Result<(Summary, Option<String>)> {
    let shown = cmd.shown().to_string();
    let mut child = cmd
        .into_inner()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let summary = std::thread::scope(|scope| {
        let errors =
            scope.spawn(|| stderr.map_or_else(Summary::default, |s| pass_on(s, std::io::stderr())));
        let mut summary = stdout.map_or_else(Summary::default, |s| pass_on(s, std::io::stdout()));
        let errors = errors.join().unwrap_or_default();
        summary.counts = summary.counts.plus(errors.counts);
        summary.skipped.extend(errors.skipped);
        summary
    });
    let status = child.wait()?;
    Ok((
        summary,
        (!status.success()).then(|| format!("`{shown}` ended with {status}")),
    ))
}

fn pass_on(from: impl Read, mut to: impl Write) -> Summary {
    let mut summary = Summary::default();
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    // A test may print bytes that are not text, so lines are bytes here.
    while reader
        .read_until(b'\n', &mut line)
        .is_ok_and(|read| read > 0)
    {
        let _ = to.write_all(&line);
        let text = String::from_utf8_lossy(&line);
        summary.counts = summary.counts.plus(read_line(&text));
        summary.skipped.extend(skipped_test(&text));
        line.clear();
    }
    let _ = to.flush();
    summary
}

/// The counts in a line, if it is a closing line of cargo test, cargo nextest or node's runner.
fn read_line(line: &str) -> Counts {
    let line = line.trim();
    let mut counts = Counts::default();
    if let Some(rest) = line.strip_prefix("test result: ") {
        // ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
        counts.passed = number_before(rest, " passed");
        counts.failed = number_before(rest, " failed");
        counts.skipped = number_before(rest, " ignored");
    } else if line.starts_with("Summary [") {
        // Summary [   0.01s] 6 tests run: 4 passed (1 slow), 1 failed, 1 timed out, 2 skipped
        counts.passed = number_before(line, " passed");
        counts.failed = number_before(line, " failed") + number_before(line, " timed out");
        counts.skipped = number_before(line, " skipped");
    } else if let Some(rest) = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# ")) {
        match rest
            .split_once(' ')
            .map(|(name, number)| (name, number.parse::<usize>()))
        {
            Some(("pass", Ok(number))) => counts.passed = number,
            Some(("fail" | "cancelled", Ok(number))) => counts.failed = number,
            Some(("skipped" | "todo", Ok(number))) => counts.skipped = number,
            _ => {}
        }
    }
    counts
}

/// The test that a line names as skipped.
fn skipped_test(line: &str) -> Option<String> {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix("test ") {
        // test peft::logits ... ignored, needs peft in LAB_PYTHON
        let (name, reason) = rest.split_once(" ... ignored")?;
        return Some(format!("{name}{}", reason.replacen(", ", ": ", 1)));
    }
    if let Some(rest) = line.strip_prefix("SKIP [") {
        // SKIP [         ] (───) lab-tests::peft logits
        return Some(rest.split_once(") ")?.1.to_owned());
    }
    // ﹣ on WebGPU (6.1ms) # no adapter
    let (test, reason) = line.strip_prefix("﹣ ")?.split_once(" # ")?;
    let name = test.rsplit_once(" (").map_or(test, |(name, _)| name);
    Some(format!("{name}: {reason}"))
}

/// The number in front of a word: 12 in `12 passed`, and 0 if the word is missing.
fn number_before(text: &str, word: &str) -> usize {
    let Some(end) = text.find(word) else { return 0 };
    let digits: String = text[..end]
        .chars()
        .rev()
        .take_while(char::is_ascii_digit)
        .collect();
    digits
        .chars()
        .rev()
        .collect::<String>()
        .parse()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: usize, failed: usize, skipped: usize) -> Counts {
        Counts {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn the_closing_lines_of_three_runners_are_read() {
        let cargo = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(read_line(cargo), counts(12, 3, 1));
        let nextest = "     Summary [   0.013s] 8 tests run: 5 passed (1 slow), 1 failed, 2 timed out, 4 skipped\n";
        assert_eq!(read_line(nextest), counts(5, 3, 4));
        let node = "ℹ tests 5\nℹ suites 0\nℹ pass 3\nℹ fail 1\nℹ cancelled 0\nℹ skipped 1\nℹ todo 0\nℹ duration_ms 40.5\n";
        assert_eq!(
            node.lines()
                .map(read_line)
                .fold(Counts::default(), Counts::plus),
            counts(3, 1, 1)
        );
    }

    #[test]
    fn skipped_tests_of_three_runners_are_named() {
        let output = "test a::b ... ignored, needs peft\ntest c ... ignored\ntest d ... ok\n\
            SKIP [         ] (───) lab-tests::peft e\n  ﹣ on WebGPU (6.1ms) # no adapter\n";
        assert_eq!(
            pass_on(output.as_bytes(), std::io::sink()).skipped,
            [
                "a::b: needs peft",
                "c",
                "lab-tests::peft e",
                "on WebGPU: no adapter"
            ]
        );
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in [
            "test a ... ok",
            "5 passed, 0 failed",
            "PASS [ 0.01s] x y",
            "ℹ pass",
            "# pass it on",
        ] {
            assert_eq!(read_line(line), Counts::default(), "{line}");
        }
    }

    #[test]
    fn output_is_passed_on_as_it_is() {
        let output = b"\xff\ntest result: ok. 2 passed; 0 failed; 0 ignored\nno end";
        let mut seen = Vec::new();
        let summary = pass_on(output.as_slice(), &mut seen);
        assert_eq!(summary.counts, counts(2, 0, 0));
        assert_eq!(seen, output);
    }

    #[test]
    fn a_runner_that_fails_without_a_count_is_an_error() {
        let (seen, error) =
            run_counted(Cmd::new("sh").args(["-c", "exit 101"])).unwrap_or_default();
        assert_eq!(seen, Summary::default());
        assert!(error.is_some_and(|error| error.contains("101")));
    }
}
