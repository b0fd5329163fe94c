//! The terminal program `lab`: the experiments of the playground, natively. Exit status 0: done, 2: the
//! input was wrong, 1: anything else. Errors go to standard error as `code: message (field) — hint`.

mod compare;
mod convert;
mod eval;
mod executor;
mod export;
mod files;
mod folder;
mod generate;
mod host;
mod http;
mod logits;
mod merge;
mod model;
mod models;
mod retrieval;
mod run;
mod schema;
mod tokenizer;
mod usage;
mod village;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A laboratory for small language models.
#[derive(Parser)]
#[command(name = "lab", version)]
struct Arguments {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Subcommand)]
enum Subcommands {
    /// Put runs beside each other.
    Compare(compare::Arguments),
    /// Write a Hugging Face folder or a GGUF file as a Hugging Face folder.
    Convert(convert::Arguments),
    /// Measure retrieval on a collection in BEIR's layout.
    EvalRetrieval(retrieval::evaluate::Arguments),
    /// Write runs in other programs' formats.
    Export(export::Arguments),
    /// Cut documents into chunks and make an index of them.
    Index(retrieval::index::Arguments),
    /// Put an adapter into its model's weights.
    Merge(merge::Arguments),
    /// The likelihood of a text under a model: nll, perplexity, bits a byte.
    Eval(eval::Arguments),
    /// Continue a prompt.
    Generate(generate::Arguments),
    /// The logits of a model for token ids, number by number.
    Logits(logits::Arguments),
    /// Run an experiment.
    Run(run::Arguments),
    /// Print JSON Schema (draft 2020-12) of experiments and of every configuration in them.
    Schema(schema::Arguments),
    /// Find passages in an index.
    Search(retrieval::search::Arguments),
    /// Make tokenizers.
    Tokenizer(tokenizer::Arguments),
    /// Write the village of a seed: texts, questions, preferences, documents, and a page about them.
    Village(village::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Subcommands::Compare(arguments) => compare::run(arguments),
        Subcommands::Convert(arguments) => convert::run(arguments),
        Subcommands::EvalRetrieval(arguments) => retrieval::evaluate::run(arguments),
        Subcommands::Export(arguments) => export::run(arguments),
        Subcommands::Index(arguments) => retrieval::index::run(arguments),
        Subcommands::Merge(arguments) => merge::run(arguments),
        Subcommands::Eval(arguments) => eval::run(arguments),
        Subcommands::Generate(arguments) => generate::run(arguments),
        Subcommands::Logits(arguments) => logits::run(arguments),
        Subcommands::Run(arguments) => run::run(arguments),
        Subcommands::Schema(arguments) => schema::run(arguments),
        Subcommands::Search(arguments) => retrieval::search::run(arguments),
        Subcommands::Tokenizer(arguments) => tokenizer::run(arguments),
        Subcommands::Village(arguments) => village::run(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(if error.code.is_input() { 2 } else { 1 })
        }
    }
}
