//! `lab generate`.

use crate::model::{ModelArguments, OpenModel};
use crate::usage;
use lab_model::chat::ChatMessage;
use lab_model::generate::{FinishReason, GeneratedText, Generation, GenerationSettings, Writer};
use lab_protocol::{ErrorCode, GenerateRequest, LabError};
use serde_json::json;
use std::io::Write;
use std::time::Instant;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// The text that the model continues.
    #[arg(long)]
    prompt: String,
    /// The prompt is a message, put to the model by its chat template.
    #[arg(long)]
    chat: bool,
    /// Maximum number of tokens.
    #[arg(long, default_value_t = 128)]
    max_tokens: usize,
    /// 0 takes the likeliest token every time; 1 is the model's own distribution.
    #[arg(long, default_value_t = 0.8)]
    temperature: f64,
    /// Only this many of the likeliest tokens may be drawn; 0: all.
    #[arg(long, default_value_t = 0)]
    top_k: usize,
    /// Only the likeliest tokens that together have this probability may be drawn; 1: all.
    #[arg(long, default_value_t = 1.0)]
    top_p: f64,
    /// Only tokens with at least this share of the likeliest one's probability may be drawn; 0: all.
    #[arg(long, default_value_t = 0.0)]
    min_p: f64,
    /// Above 1, tokens that are already in the text become less likely.
    #[arg(long, default_value_t = 1.0)]
    repetition_penalty: f64,
    /// The text ends before this; may be given several times.
    #[arg(long)]
    stop: Vec<String>,
    /// The same seed draws the same text.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// With --json: number of the likeliest tokens to list for each token.
    #[arg(long, default_value_t = 0)]
    alternatives: usize,
    /// Afterwards tokens a second and memory, on standard error.
    #[arg(long)]
    stats: bool,
    /// One JSON document on standard output, when the text is done.
    #[arg(long)]
    json: bool,
}

/// The written text, and the time that it took.
struct Written {
    text: String,
    tokens: GeneratedText,
    prompt_tokens: usize,
    load_seconds: f64,
    /// Until the first token was there: the pass over the prompt.
    prompt_seconds: f64,
    /// Seconds for the tokens after the first.
    seconds: f64,
}

impl Written {
    /// Tokens a second, after the first one.
    fn speed(&self) -> Option<f64> {
        let later = self.tokens.ids.len().checked_sub(1)?;
        (later > 0 && self.seconds > 0.0).then(|| later as f64 / self.seconds)
    }
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    let request = GenerateRequest {
        prompt: arguments.prompt.clone(),
        max_tokens: arguments.max_tokens,
        temperature: arguments.temperature,
        top_k: arguments.top_k,
        top_p: arguments.top_p,
        min_p: arguments.min_p,
        repetition_penalty: arguments.repetition_penalty,
        stop: arguments.stop.clone(),
        seed: arguments.seed,
    };
    request.validate()?;
    let began = Instant::now();
    let written = pollster::block_on(async {
        let model = arguments.model.open().await?;
        let load_seconds = began.elapsed().as_secs_f64();
        write(&arguments, &request, &model, load_seconds).await
    })?;
    if arguments.json {
        println!("{}", document(&request, &written));
        return Ok(());
    }
    println!();
    if arguments.stats {
        let memory = usage::peak_memory().map_or("unknown".into(), |bytes| {
            format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
        });
        let speed = written
            .speed()
            .map_or("-".into(), |speed| format!("{speed:.1}"));
        eprintln!(
            "{} tokens, {speed} tokens a second after the first; {} prompt tokens in {:.2} s; loaded in {:.2} s; peak memory {memory}",
            written.tokens.ids.len(),
            written.prompt_tokens,
            written.prompt_seconds,
            written.load_seconds
        );
    }
    Ok(())
}

async fn write(
    arguments: &Arguments,
    request: &GenerateRequest,
    model: &OpenModel,
    load_seconds: f64,
) -> Result<Written, LabError> {
    let tokenizer = model.tokenizer()?;
    let prompt = prompt(arguments, model)?;
    let ids = if arguments.chat {
        tokenizer.encode(&prompt)
    } else {
        tokenizer.encode_prompt(&prompt)
    };
    let ids = ids.map_err(|error| error.at("prompt"))?;
    let prompt_tokens = ids.len();
    let ends = &model.base.end_of_text;
    let settings = GenerationSettings {
        stop_tokens: ends.clone(),
        alternatives: arguments.alternatives,
        ..request.into()
    };
    let mut generation = Generation::one(&model.decoder, ids, &settings)?;
    let mut writer = Writer::new(tokenizer, &request.stop, ends);
    let mut text = String::new();
    let mut say = |piece: String| {
        if !arguments.json {
            print!("{piece}");
            // A terminal that is gone is noticed at the end, by print itself.
            let _ = std::io::stdout().flush();
        }
        text += &piece;
    };
    let began = Instant::now();
    let mut first = None;
    while let Some(token) = generation.next().await?.first() {
        first.get_or_insert_with(Instant::now);
        say(writer.push(token.id));
        if writer.stopped() {
            generation.stop(0, FinishReason::StopString);
        }
    }
    let end = Instant::now();
    say(writer.finish());
    let first = first.unwrap_or(end);
    Ok(Written {
        text,
        tokens: generation.finish().pop().unwrap_or_default(),
        prompt_tokens,
        load_seconds,
        prompt_seconds: (first - began).as_secs_f64(),
        seconds: (end - first).as_secs_f64(),
    })
}

fn prompt(arguments: &Arguments, model: &OpenModel) -> Result<String, LabError> {
    if !arguments.chat {
        return Ok(arguments.prompt.clone());
    }
    let template = model.base.chat_template.as_ref().ok_or_else(|| {
        LabError::new(
            ErrorCode::InvalidConfig,
            "the model has no chat template",
            "Leave out --chat, and write the prompt as the model was taught.",
        )
        .at("chat")
    })?;
    let message = ChatMessage {
        role: "user".into(),
        content: arguments.prompt.clone(),
    };
    template.render(&[message], true)
}

fn document(request: &GenerateRequest, written: &Written) -> serde_json::Value {
    let mut document = json!({
        "prompt": request.prompt,
        "text": written.text,
        "ids": written.tokens.ids,
        "log_probs": written.tokens.log_probs,
        "finish_reason": written.tokens.finish_reason,
        "tokens": written.tokens.ids.len(),
        "prompt_tokens": written.prompt_tokens,
        "tokens_per_second": written.speed(),
        "prompt_seconds": written.prompt_seconds,
        "load_seconds": written.load_seconds,
        "peak_memory_bytes": usage::peak_memory(),
    });
    if !written.tokens.alternatives.is_empty() {
        document["alternatives"] = json!(written.tokens.alternatives);
    }
    document
}
