//! `lab eval`.

use crate::model::ModelArguments;
use indicatif::{ProgressBar, ProgressStyle};
use lab_model::evaluate::evaluate_text;
use lab_protocol::{LabError, text_from_bytes};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// The text, any UTF-8 file.
    #[arg(long)]
    text: PathBuf,
    /// Tokens from one window to the next: fewer than the model's window and each token is predicted
    /// from more before it. Without it, windows do not overlap.
    #[arg(long)]
    stride: Option<usize>,
    /// One JSON document on standard output.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    let text = text_from_bytes(crate::files::read(&arguments.text, "text")?)
        .map_err(|error| error.at("text"))?;
    if arguments.stride == Some(0) {
        return Err(LabError::config(
            "stride",
            "a stride of 0 never gets anywhere",
            "Use a stride from 1 to the model's window, or leave it out.",
        ));
    }
    pollster::block_on(async {
        let model = arguments.model.open().await?;
        let bar = ProgressBar::new(0).with_style(
            ProgressStyle::with_template("{bar:40} window {pos} of {len}, {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let score = evaluate_text(
            &model.decoder,
            model.tokenizer()?,
            &text,
            arguments.stride.unwrap_or(0),
            |done, windows| {
                bar.set_length(windows as u64);
                bar.set_position(done as u64);
                true
            },
        )
        .await?
        .ok_or_else(|| LabError::internal("an evaluation that nobody stopped was stopped"))?;
        bar.finish_and_clear();
        if arguments.json {
            let document = serde_json::to_string(&score);
            println!(
                "{}",
                document.map_err(|error| LabError::internal(error.to_string()))?
            );
            return Ok(());
        }
        println!(
            "nll {:.4} nats a token, perplexity {:.4}, {:.4} bits a byte; {} tokens in windows of {}, {} apart",
            score.nll,
            score.perplexity,
            score.bits_per_byte,
            score.tokens,
            score.window,
            score.stride
        );
        Ok(())
    })
}
