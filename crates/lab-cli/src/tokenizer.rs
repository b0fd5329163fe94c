//! `lab tokenizer train`.

use crate::files;
use indicatif::{ProgressBar, ProgressStyle};
use lab_model::tokenizer::{END_OF_TEXT, Tokenizer};
use lab_protocol::{LabError, TokenizerKind, text, text_from_bytes};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(clap::Subcommand)]
enum Subcommands {
    /// Learn byte-pair encoding from a text.
    Train(Train),
}

#[derive(clap::Args)]
struct Train {
    /// Any UTF-8 text.
    file: PathBuf,
    /// The most tokens to learn, the 256 bytes and the end of a text among them.
    #[arg(long, default_value_t = 1024)]
    vocab: usize,
    /// Folder for tokenizer.json and tokenizer_config.json.
    #[arg(long)]
    out: PathBuf,
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    let Subcommands::Train(train) = arguments.command;
    let target = train.out.join("tokenizer.json");
    if target.exists() {
        return Err(LabError::config(
            "out",
            text!("{path} is already there", path = target.display()),
            "Name another folder.",
        ));
    }
    let text = text_from_bytes(files::read(&train.file, "file")?)?;
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} merges, {eta} left");
    let bar =
        ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    // An interrupt ends the program; nothing has been written by then.
    let trained = Tokenizer::train_with(TokenizerKind::Bpe, train.vocab, [&text], |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        true
    });
    bar.finish_and_clear();
    let tokenizer = trained
        .map_err(|error| error.at("vocab"))?
        .ok_or_else(|| LabError::internal("a training that nobody stopped was stopped"))?;
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false,
        "eos_token": END_OF_TEXT,
    });
    files::write_json(&train.out.join("tokenizer_config.json"), &config)?;
    files::write_json(&target, &tokenizer.to_json())?;
    let tokens = tokenizer.encode(&text)?.len();
    println!(
        "{}: {} tokens; the text has {:.3} bytes a token and {:.3} tokens a word",
        target.display(),
        tokenizer.vocabulary(),
        text.len() as f64 / tokens.max(1) as f64,
        tokens as f64 / text.split_whitespace().count().max(1) as f64,
    );
    Ok(())
}
