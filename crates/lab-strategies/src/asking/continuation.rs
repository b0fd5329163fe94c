//! A text that continues a prompt, token by token.

use crate::run::commands::StopSignal;
use crate::run::prompts::Prompt;
use lab_model::decoder::Decoder;
use lab_model::generate::{Generation, GenerationSettings, Writer};
use lab_model::prompts::PromptFormat;
use lab_protocol::{GenerateRequest, LabError};

/// Continues a prompt with the settings of the request, whose own prompt is ignored, up to a token that ends answers.
/// Returns the text written so far if told to stop meanwhile.
pub async fn write(
    model: &Decoder,
    format: &PromptFormat<'_>,
    prompt: &Prompt,
    request: &GenerateRequest,
    stop: &StopSignal,
) -> Result<String, LabError> {
    request.validate()?;
    let prompt = prompt.tokens(format);
    let prompt = prompt.map_err(|error| error.at("prompt"))?;
    let settings = GenerationSettings {
        stop_tokens: format.ends.to_vec(),
        ..request.into()
    };
    let mut generation = Generation::one(model, prompt, &settings)?;
    let mut writer = Writer::new(format.tokenizer, &request.stop, format.ends);
    let mut text = String::new();
    while let Some(token) = generation.next().await?.first() {
        text += &writer.push(token.id);
        if writer.stopped() || stop.requested().await {
            break;
        }
    }
    Ok(text + &writer.finish())
}
