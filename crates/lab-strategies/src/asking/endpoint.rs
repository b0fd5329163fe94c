//! A model behind the network: OpenAI's chat completions, with time limits, repeated tries and errors in plain words.

use super::template::numbered;
use crate::asking::generator::{Asked, Generator};
use crate::asking::reply::{Fault, Reply};
use crate::run::context::RunContext;
use crate::run::network::{HttpFailure, HttpRequest, HttpResponse, retry_after};
use async_trait::async_trait;
use lab_protocol::{EndpointConfig, ErrorCode, LabError, RagConfig, Secret, Text, text};
use lab_retrieval::Passage;
use serde_json::json;

/// Seconds before the second try; each further wait is twice as long.
const FIRST_WAIT: f64 = 0.5;
/// The maximum wait in seconds. An endpoint that asks for more is not tried again.
const LONGEST_WAIT: f64 = 60.0;
/// Maximum number of bytes that are read of an answer.
const LARGEST: usize = 4 << 20;
/// Maximum number of characters of an endpoint's own words that an error repeats.
const QUOTED: usize = 300;

const INSTRUCTION: &str = "Answer the question from the numbered passages alone, as briefly as you can. \
Behind what you take from a passage put its number, e.g. [1]. \
If the passages do not hold the answer, say that you do not know.";

/// An endpoint that writes answers.
pub(crate) struct Endpoint {
    config: EndpointConfig,
    key: Option<Secret>,
    /// Maximum number of tokens of an answer.
    max_tokens: usize,
    /// `RagConfig::prompt_template`.
    template: String,
}

/// The outcome of a try.
enum Try {
    Done(String),
    /// Another try may succeed, after this many seconds if the endpoint names a time.
    Again(LabError, Option<f64>),
    Failed(LabError),
}

impl Endpoint {
    /// `key` is for the endpoint, if it needs one.
    pub fn new(
        config: &EndpointConfig,
        key: Option<Secret>,
        rag: &RagConfig,
    ) -> Result<Self, LabError> {
        if let Some(key) = &key {
            key.validate()
                .map_err(|error| error.at("config.endpoint.key_variable"))?;
        }
        Ok(Self {
            config: config.clone(),
            key,
            max_tokens: rag.answer_tokens,
            template: rag.prompt_template.clone(),
        })
    }

    /// The endpoint's answer. None if the run was told to stop meanwhile.
    async fn ask(&self, asked: &Asked, run: &RunContext) -> Result<Option<String>, LabError> {
        let url = format!(
            "{}/chat/completions",
            self.config.base_url.trim_end_matches('/')
        );
        let body = json!({
            "model": self.config.model,
            "messages": [
                {"role": "system", "content": INSTRUCTION},
                {"role": "user", "content": numbered(&asked.question, &asked.passages, &self.template)},
            ],
            "max_tokens": self.max_tokens,
            "temperature": 0,
            "stream": true,
        })
        .to_string();
        let request = HttpRequest {
            url: &url,
            key: self.key.as_ref(),
            body: &body,
            timeout: self.config.timeout * 1000.0,
        };
        let mut wait = FIRST_WAIT;
        for left in (0..=self.config.retries).rev() {
            let mut reply = Reply::default();
            let outcome = run
                .network
                .post(&request, &mut |bytes| {
                    if reply.push(bytes) {
                        run.writing(&asked.question, &reply.text);
                    }
                    reply.bytes.len() <= LARGEST
                })
                .await;
            let (error, asked_wait) = match self.judge(outcome, reply, run.now()) {
                Try::Done(text) => return Ok(Some(text)),
                Try::Failed(error) => return Err(error),
                Try::Again(error, asked_wait) => (error, asked_wait),
            };
            let seconds = asked_wait.unwrap_or(wait);
            if left == 0 || seconds > LONGEST_WAIT {
                return Err(error);
            }
            run.warn(format!("{}; trying again in {seconds:.1} s", error.message));
            if wait_out(seconds * 1000.0, run).await {
                return Ok(None);
            }
            wait = (2.0 * wait).min(LONGEST_WAIT);
        }
        Err(LabError::internal("the endpoint was never asked"))
    }

    fn judge(&self, outcome: Result<HttpResponse, HttpFailure>, reply: Reply, now: f64) -> Try {
        let response = match outcome {
            _ if reply.bytes.len() > LARGEST => {
                return Try::Failed(network(
                    text!(
                        "the endpoint's answer has more than {bytes} bytes",
                        bytes = LARGEST
                    ),
                    "Check that the address is that of a chat endpoint.",
                ));
            }
            Ok(response) => response,
            Err(HttpFailure::TimedOut) => {
                let message = text!(
                    "the endpoint gave no whole answer within {timeout} s",
                    timeout = self.config.timeout
                );
                let hint = "Check that it is running, or raise the timeout.";
                return Try::Again(network(message, hint), None);
            }
            Err(HttpFailure::Unreachable(why)) => {
                let message = text!(
                    "the endpoint cannot be reached{words}",
                    words = self.quoted(&why)
                );
                let hint = "Check the address, that the endpoint is running, and, in a browser, that it allows \
                            requests from this page (CORS).";
                return Try::Again(network(message, hint), None);
            }
        };
        let status = response.status;
        let wait = || {
            response
                .retry_after
                .as_deref()
                .and_then(|header| retry_after(header, now))
        };
        let words = || self.quoted(&reply.complaint());
        match status {
            200..=299 => match reply.finish() {
                Ok(text) => Try::Done(text),
                Err(fault) => self.fault(fault),
            },
            401 | 403 => {
                let hint: Text = match (&self.key, self.config.key_variable.as_str()) {
                    (Some(_), "") => "Type another key.".into(),
                    (Some(_), name) => {
                        text!(
                            "Put a valid key into the environment variable {name}.",
                            name
                        )
                    }
                    (None, _) => "It needs a key: in the page type one, in the terminal name the \
                                  environment variable that holds it (key_variable)."
                        .into(),
                };
                let message = text!(
                    "the endpoint refuses the key (status {status}){words}",
                    status,
                    words = words()
                );
                Try::Failed(LabError::config(
                    "config.endpoint.key_variable",
                    message,
                    hint,
                ))
            }
            404 => Try::Failed(LabError::config(
                "config.endpoint.base_url",
                text!(
                    "the endpoint has no such address or model (status 404){words}",
                    words = words()
                ),
                text!(
                    "Check the address, behind which /chat/completions is asked, and the model \"{model}\".",
                    model = self.config.model
                ),
            )),
            429 => {
                let message = match wait() {
                    Some(seconds) => text!(
                        "the endpoint has too many requests (status 429), and asks to wait {seconds} s{words}",
                        seconds = format!("{seconds:.0}"),
                        words = words(),
                    ),
                    None => text!(
                        "the endpoint has too many requests (status 429){words}",
                        words = words(),
                    ),
                };
                let hint = "Wait, ask less, or look at the limits of your account there.";
                Try::Again(network(message, hint), wait())
            }
            408 | 500..=599 => {
                let message = text!(
                    "the endpoint has failed (status {status}){words}",
                    status,
                    words = words()
                );
                Try::Again(
                    network(message, "Try again later, or look at its log."),
                    wait(),
                )
            }
            400..=499 => Try::Failed(LabError::config(
                "config.endpoint",
                text!(
                    "the endpoint refuses the request (status {status}){words}",
                    status,
                    words = words()
                ),
                "Check the model's name, and ask with fewer or shorter passages.",
            )),
            _ => Try::Failed(network(
                text!("the endpoint answers with status {status}", status),
                "Give the address that it redirects to, if it does; no redirection is followed.",
            )),
        }
    }

    fn fault(&self, fault: Fault) -> Try {
        match fault {
            Fault::Garbage(beginning) => Try::Failed(network(
                text!(
                    "the endpoint's answer is not a chat completion{words}",
                    words = self.quoted(&beginning)
                ),
                "Check that the address is that of an OpenAI-compatible endpoint.",
            )),
            Fault::Empty => Try::Failed(network(
                "the endpoint's answer has no text",
                "Allow a longer answer: some models think before they write.",
            )),
            Fault::Complaint(words) => Try::Again(
                network(
                    text!(
                        "the endpoint has failed while it answered{words}",
                        words = self.quoted(&words)
                    ),
                    "Try again later, or look at its log.",
                ),
                None,
            ),
            Fault::BrokenOff => Try::Again(
                network(
                    "the endpoint's answer broke off",
                    "Try again, or look at its log.",
                ),
                None,
            ),
        }
    }

    /// The endpoint's own words behind a colon, with the key removed if they contain it; empty if there are none.
    fn quoted(&self, words: &str) -> String {
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = match &self.key {
            Some(key) => key.taken_out_of(&words),
            None => words,
        };
        match words.char_indices().nth(QUOTED) {
            _ if words.is_empty() => String::new(),
            Some((end, _)) => format!(": {}…", &words[..end]),
            None => format!(": {words}"),
        }
    }
}

fn network(message: impl Into<Text>, hint: &str) -> LabError {
    LabError::new(ErrorCode::Network, message, hint).at("config.endpoint")
}

/// Waits this many milliseconds. Returns whether the run was told to stop meanwhile.
async fn wait_out(milliseconds: f64, run: &RunContext) -> bool {
    const SLICE: f64 = 200.0;
    let mut left = milliseconds;
    while left > 0.0 {
        if run.stop.requested().await {
            return true;
        }
        run.network.sleep(left.min(SLICE)).await;
        left -= SLICE;
    }
    run.stop.requested().await
}

#[async_trait(?Send)]
impl Generator for Endpoint {
    /// All passages: only the endpoint knows the size of its window.
    fn fitting(&self, _question: &str, passages: &[Passage]) -> Result<usize, LabError> {
        Ok(passages.len())
    }

    async fn answer(
        &self,
        asked: &[Asked],
        run: &RunContext,
    ) -> Result<Option<Vec<String>>, LabError> {
        let mut answers = Vec::with_capacity(asked.len());
        for asked in asked {
            match self.ask(asked, run).await? {
                Some(answer) if !run.stop.requested().await => answers.push(answer),
                _ => return Ok(None),
            }
        }
        Ok(Some(answers))
    }
}
