//! `lab logits`.

use crate::model::ModelArguments;
use lab_model::parameters;
use lab_protocol::LabError;
use serde_json::json;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Token ids, with commas between them.
    #[arg(long, value_delimiter = ',', required = true)]
    ids: Vec<u32>,
    /// One JSON document on standard output; without it, one line for each position.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    pollster::block_on(async {
        let model = arguments.model.open().await?.decoder;
        let logits = model.sequence_logits(&arguments.ids)?;
        let values = parameters::read(vec![logits]).await?.pop();
        let values = values.unwrap_or_default();
        let rows: Vec<&[f32]> = values.chunks(model.vocabulary()).collect();
        if arguments.json {
            println!("{}", json!({ "logits": rows }));
            return Ok(());
        }
        for row in rows {
            let numbers: Vec<String> = row.iter().map(f32::to_string).collect();
            println!("{}", numbers.join(" "));
        }
        Ok(())
    })
}
