//! Answers by an endpoint, from a real server on this machine: its answers, and each way in which it fails.

mod server;

use serde_json::{Value, json};
use server::{Reply, Server, response, streamed, whole};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

const KEY: &str = "sk-test-very-secret-0815";

const DOCUMENTS: &str = concat!(
    "{\"id\": \"mill\", \"content\": \"Anna Brook grinds the corn in the mill at Mill Road.\"}\n",
    "{\"id\": \"bakery\", \"content\": \"Tom Field bakes bread beside the church.\"}\n",
    "{\"id\": \"harbour\", \"content\": \"Nets are mended at the harbour every Monday.\"}\n",
);

/// Runs the experiment in a folder: one question, asked of the endpoint.
fn ask(folder: &Path, base_url: &str, more: Value, arguments: &[&str]) -> Output {
    let mut endpoint = json!({
        "base_url": base_url, "model": "tiny", "timeout": 30.0, "retries": 1, "key_variable": "LAB_TEST_KEY"
    });
    let mut config = json!({"questions": ["Who bakes bread?"], "passages": 2});
    for (key, value) in more.as_object().unwrap() {
        if endpoint.get(key).is_some() {
            endpoint[key] = value.clone();
        } else {
            config[key] = value.clone();
        }
    }
    config["endpoint"] = endpoint;
    let experiment = json!({
        "name": "endpoint", "data": {"source": "user", "name": "documents"},
        "strategies": [{"name": "rag", "strategy": "rag", "config": config}]
    });
    std::fs::write(folder.join("experiment.json"), experiment.to_string()).unwrap();
    std::fs::write(folder.join("documents.jsonl"), DOCUMENTS).unwrap();
    let run = [
        "run",
        "experiment.json",
        "--data",
        "documents.jsonl",
        "--out",
        "out",
    ];
    Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(run)
        .args(arguments)
        .current_dir(folder)
        .env("LAB_TEST_KEY", KEY)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(text).unwrap()
}

/// The key is in no file of the run, and in nothing that was said.
fn nowhere_the_key(folder: &Path, output: &Output) {
    assert!(!said(output).contains(KEY), "{}", said(output));
    let mut folders = vec![folder.to_owned()];
    while let Some(place) = folders.pop() {
        for entry in std::fs::read_dir(place).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let bytes = std::fs::read(entry.path()).unwrap();
            let found = bytes
                .windows(KEY.len())
                .any(|window| window == KEY.as_bytes());
            assert!(!found, "{}", entry.path().display());
        }
    }
}

fn answers(folder: &Path) -> Value {
    let path = folder.join("out/answers/answers.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn an_endpoint_answers_from_passages_and_cites_them() {
    for reply in [
        whole("Tom Field [1]."),
        streamed(&["Tom", " Field", " [1]."]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(&[reply]);
        let output = ask(folder.path(), &server.address, json!({}), &[]);
        assert!(output.status.success(), "{}", said(&output));
        let seen = server.seen();
        assert_eq!(seen.len(), 1);
        assert!(
            seen[0]
                .head
                .starts_with("POST /v1/chat/completions HTTP/1.1\r\n")
        );
        let authorization = format!("authorization: bearer {KEY}");
        assert!(seen[0].head.to_lowercase().contains(&authorization));
        assert_eq!(seen[0].body["model"], "tiny");
        let asked = seen[0].body["messages"][1]["content"].as_str().unwrap();
        assert!(asked.starts_with("[1] Tom Field bakes bread"), "{asked}");
        assert!(asked.ends_with("Question: Who bakes bread?"), "{asked}");

        let answer = &answers(folder.path())[0];
        assert_eq!(answer["answer"], "Tom Field [1].");
        assert_eq!(answer["outcome"], "answered");
        let passages = answer["passages"].as_array().unwrap();
        assert_eq!(passages.len(), 2);
        assert_eq!(passages[0]["document"], "bakery");
        assert_eq!(
            (&passages[0]["start"], &passages[0]["end"]),
            (&json!(0), &json!(40))
        );
        assert_eq!(
            (&passages[0]["cited"], &passages[1]["cited"]),
            (&json!(true), &json!(false))
        );
        assert!(passages[0]["score"].as_f64() > passages[1]["score"].as_f64());
        assert!(
            said(&output).contains("* [1] bakery 0–40"),
            "{}",
            said(&output)
        );
        nowhere_the_key(folder.path(), &output);
        assert!(folder.path().join("out/index/index.bin").is_file());
    }
}

#[test]
fn nobody_is_asked_where_no_passage_is_close_enough() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(&[whole("nonsense")]);
    let more = json!({"method": "bm25", "questions": ["Zebras?"]});
    let output = ask(folder.path(), &server.address, more, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(server.seen().is_empty());
    let answer = &answers(folder.path())[0];
    assert_eq!(
        (&answer["outcome"], &answer["answer"]),
        (&json!("no_passage"), &json!(""))
    );
    assert!(said(&output).contains("no passage is close enough"));
}

#[test]
fn every_failure_is_said_plainly_and_leaves_the_index() {
    let closed = {
        // A port that nobody listens at any more.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let half = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"To\"}}]}\n\n";
    let error = |message: &str| json!({"error": {"message": message}}).to_string();
    let refused = error(&format!("Incorrect API key provided: {KEY}"));
    // Reply, exit status, tries, and words of the output.
    let cases: [(&str, Reply, i32, usize, &[&str]); 12] = [
        (
            "a hang",
            Reply::Hang(String::new()),
            1,
            2,
            &["network:", "within 1 s", "timeout"],
        ),
        (
            "a hang in the midst",
            Reply::Hang(half.into()),
            1,
            2,
            &["network:", "within 1 s"],
        ),
        (
            "a stream cut short",
            Reply::Send(half.into()),
            1,
            2,
            &["network:", "broke off"],
        ),
        (
            "a closed connection",
            Reply::Send(String::new()),
            1,
            2,
            &["network:", "cannot be reached"],
        ),
        (
            "no HTTP",
            Reply::Send("ho ho ho\r\n\r\n".into()),
            1,
            2,
            &["network:", "cannot be reached"],
        ),
        (
            "a page",
            response("200 OK", "", "<html>hello</html>"),
            1,
            1,
            &["network:", "not a chat completion", "<html>"],
        ),
        (
            "other JSON",
            response("200 OK", "", "{\"ok\": true}"),
            1,
            1,
            &["network:", "not a chat completion"],
        ),
        (
            "status 401",
            response("401 Unauthorized", "", &refused),
            2,
            1,
            &[
                "invalid_config:",
                "refuses the key",
                "LAB_TEST_KEY",
                "key_variable",
            ],
        ),
        (
            "status 404",
            response("404 Not Found", "", &error("no model tiny")),
            2,
            1,
            &["invalid_config:", "no model tiny", "base_url"],
        ),
        (
            "status 429",
            response("429 Too Many Requests", "", &error("slow down")),
            1,
            2,
            &["network:", "too many requests", "slow down"],
        ),
        (
            "status 503",
            response("503 Service Unavailable", "", "<html>proxy</html>"),
            1,
            2,
            &["network:", "status 503"],
        ),
        (
            "a redirection",
            response(
                "307 Temporary Redirect",
                "Location: http://127.0.0.1:9/\r\n",
                "",
            ),
            1,
            1,
            &["network:", "status 307", "redirect"],
        ),
    ];
    std::thread::scope(|scope| {
        for (name, reply, status, tries, words) in cases {
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                let server = Server::new(&[reply]);
                // Only requests that hang have a short limit.
                let limit = if name.starts_with("a hang") {
                    1.0
                } else {
                    30.0
                };
                let more = json!({ "timeout": limit });
                let output = ask(folder.path(), &server.address, more.clone(), &[]);
                assert_eq!(
                    output.status.code(),
                    Some(status),
                    "{name}: {}",
                    said(&output)
                );
                let message = String::from_utf8_lossy(&output.stderr).into_owned();
                let message = message.lines().last().unwrap_or_default();
                for word in words {
                    assert!(message.contains(word), "{name}: {word} is not in {message}");
                }
                assert!(message.contains(" — "), "{name}: {message}");
                assert_eq!(server.seen().len(), tries, "{name}");
                nowhere_the_key(folder.path(), &output);

                // The index is stored: a failed question is asked again without indexing again.
                let server = Server::new(&[whole("Tom Field.")]);
                let experiment = folder.path().join("experiment.json");
                let text = std::fs::read_to_string(&experiment).unwrap();
                assert!(text.contains("\"model\":\"tiny\""));
                let again = resume(folder.path(), &server.address, more);
                assert!(again.status.success(), "{name}: {}", said(&again));
                let answer = &answers(folder.path())[0];
                assert_eq!(answer["answer"], "Tom Field.", "{name}");
                // It names no passage: the one that says the same counts as cited.
                assert_eq!(answer["passages"][0]["cited"], true, "{name}");
            });
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let output = ask(folder.path(), &closed, json!({}), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("cannot be reached"),
        "{}",
        said(&output)
    );
    assert!(
        said(&output).contains("trying again in 0.5 s"),
        "{}",
        said(&output)
    );
}

/// Continues a run; only the address of the endpoint is another.
fn resume(folder: &Path, base_url: &str, more: Value) -> Output {
    let record = folder.join("out/run.json");
    let mut run: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    run["experiment"]["strategies"][0]["config"]["endpoint"]["base_url"] = base_url.into();
    std::fs::write(&record, run.to_string()).unwrap();
    ask(folder, base_url, more, &["--resume"])
}

#[test]
fn tries_are_apart_and_as_long_as_the_endpoint_asks() {
    let busy = |header: &str| response("429 Too Many Requests", header, "{}");
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(&[
        busy(""),
        busy(""),
        busy("Retry-After: 2\r\n"),
        whole("Tom."),
    ]);
    let output = ask(folder.path(), &server.address, json!({"retries": 3}), &[]);
    assert!(output.status.success(), "{}", said(&output));
    let seen = server.seen();
    let waits: Vec<f64> = seen
        .windows(2)
        .map(|pair| (pair[1].at - pair[0].at).as_secs_f64())
        .collect();
    // At least the requested time; the excess depends on this machine.
    for (wait, minimum) in waits.iter().zip([0.5, 1.0, 2.0]) {
        assert!(*wait >= minimum, "{waits:?}");
    }
    assert_eq!(waits.len(), 3);

    // One that asks for more than a minute is not waited for.
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(&[busy("Retry-After: 3600\r\n"), whole("Tom.")]);
    let output = ask(folder.path(), &server.address, json!({}), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("asks to wait 3600 s"),
        "{}",
        said(&output)
    );
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn settings_of_an_endpoint_are_checked_before_anything_is_done() {
    for (more, field) in [
        (json!({"base_url": "ftp://x"}), "base_url"),
        (
            json!({"base_url": "http://name:hunter2@host/v1"}),
            "base_url",
        ),
        (json!({"base_url": "http://host/v1?key=sk-1"}), "base_url"),
        (json!({"model": " "}), "model"),
        (json!({"key_variable": "sk-proj-abc"}), "key_variable"),
        (json!({"timeout": 0.0}), "timeout"),
        (json!({"retries": 11}), "retries"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = ask(folder.path(), "http://127.0.0.1:9", more.clone(), &[]);
        assert_eq!(output.status.code(), Some(2), "{more}: {}", said(&output));
        let field = format!("strategies[0].config.endpoint.{field}");
        assert!(said(&output).contains(&field), "{more}: {}", said(&output));
        assert!(!folder.path().join("out").exists(), "{more}");
        assert!(!said(&output).contains("hunter2"), "{}", said(&output));
        assert!(!said(&output).contains("sk-"), "{}", said(&output));
    }
    // A variable that is not set is missed before the documents are indexed.
    let folder = tempfile::tempdir().unwrap();
    let more = json!({"key_variable": "LAB_TEST_NO_SUCH_KEY"});
    let output = ask(folder.path(), "http://127.0.0.1:9", more, &[]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("LAB_TEST_NO_SUCH_KEY is not set"));
}
