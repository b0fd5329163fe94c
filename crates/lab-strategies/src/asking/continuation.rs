//! A text that goes on from a prompt, token by token.

use crate::run::commands::StopSignal;
use lab_model::decoder::Decoder;
use lab_model::generate::{Generation, GenerationSettings, Writer};
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{GenerateRequest, LabError};

/// A continuation of the request's prompt, up to one of the tokens `ends`; what was written so far if told
/// to stop meanwhile.
pub async fn write(
    model: &Decoder,
    tokenizer: &Tokenizer,
    ends: &[u32],
    request: &GenerateRequest,
    stop: &StopSignal,
) -> Result<String, LabError> {
    request.validate()?;
    let prompt = tokenizer
        .encode_prompt(&request.prompt)
        .map_err(|error| error.at("prompt"))?;
    let settings = GenerationSettings {
        stop_tokens: ends.to_vec(),
        ..request.into()
    };
    let mut generation = Generation::one(model, prompt, &settings)?;
    let mut writer = Writer::new(tokenizer, &request.stop, ends);
    let mut text = String::new();
    while let Some(token) = generation.next().await?.first() {
        text += &writer.push(token.id);
        if writer.stopped() || stop.requested().await {
            break;
        }
    }
    Ok(text + &writer.finish())
}
