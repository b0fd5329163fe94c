//! The settings of training by steps, which several strategies share.

use crate::settings::Group::{Evaluation, Main, Optimiser, Samples};
use crate::settings::Kind::{Choice, Number, Text, Whole};
use crate::settings::{ABOVE_ZERO, ANY, Setting, setting};

/// One entry for each key of `TrainingConfig` but the stride of the last evaluation, whose range is not
/// the same everywhere.
pub const TRAINING: &[Setting] = &[
    setting(
        Main,
        "training.steps",
        "Steps",
        Whole(1, 10_000_000),
        "Updates of the weights.",
    ),
    setting(
        Main,
        "training.batch_size",
        "Batch",
        Whole(1, 4096),
        "Pieces of text in a step.",
    ),
    setting(
        Main,
        "training.learning_rate",
        "Learning rate",
        Number(0.0, 10.0),
        "How far a step moves the weights, at most.",
    ),
    setting(
        Optimiser,
        "training.schedule",
        "Schedule",
        Choice(&[
            ("cosine", "Cosine"),
            ("linear", "Linear"),
            ("constant", "Constant"),
        ]),
        "How the learning rate falls.",
    ),
    setting(
        Optimiser,
        "training.minimum_learning_rate",
        "Lowest rate",
        Number(0.0, 10.0),
        "Where the schedule ends.",
    ),
    setting(
        Optimiser,
        "training.warmup_steps",
        "Warm-up steps",
        Whole(0, ANY),
        "Steps in which the rate rises from 0.",
    ),
    setting(
        Optimiser,
        "training.decay_steps",
        "Decay steps",
        Whole(0, ANY),
        "Step at which the schedule ends; 0 is the last.",
    ),
    setting(
        Optimiser,
        "training.gradient_accumulation",
        "Micro-batches",
        Whole(1, 4096),
        "Batches whose gradients are summed in a step.",
    ),
    setting(
        Optimiser,
        "training.gradient_clip",
        "Gradient clip",
        Number(0.0, 1e6),
        "Largest norm of the gradient; 0 is no limit.",
    ),
    setting(
        Optimiser,
        "training.weight_decay",
        "Weight decay",
        Number(0.0, 10.0),
        "Pull of the matrices towards 0.",
    ),
    setting(
        Optimiser,
        "training.beta1",
        "Beta 1",
        Number(0.0, 0.999_999),
        "Memory of AdamW's mean.",
    ),
    setting(
        Optimiser,
        "training.beta2",
        "Beta 2",
        Number(0.0, 0.999_999),
        "Memory of AdamW's variance.",
    ),
    setting(
        Optimiser,
        "training.epsilon",
        "Epsilon",
        Number(ABOVE_ZERO, 1.0),
        "Keeps AdamW from dividing by 0.",
    ),
    setting(
        Evaluation,
        "training.evaluation_interval",
        "Evaluate every",
        Whole(0, ANY),
        "Steps between evaluations; 0 is at the end only.",
    ),
    setting(
        Evaluation,
        "training.evaluation_windows",
        "Windows",
        Whole(0, ANY),
        "Pieces of held-out text in an evaluation; 0 is all.",
    ),
    setting(
        Evaluation,
        "training.final_evaluation_windows",
        "Windows at the end",
        Whole(0, ANY),
        "The same for the evaluation that makes the result; 0 is all.",
    ),
    setting(
        Evaluation,
        "training.early_stopping_patience",
        "Patience",
        Whole(0, ANY),
        "Evaluations without progress before it stops; 0 is never.",
    ),
    setting(
        Evaluation,
        "training.checkpoint_interval",
        "Checkpoint every",
        Whole(0, ANY),
        "Steps between states to continue from; 0 is none.",
    ),
    setting(
        Samples,
        "training.sample_interval",
        "Sample every",
        Whole(0, ANY),
        "Steps between samples; 0 is at the end only.",
    ),
    setting(
        Samples,
        "training.sample_prompt",
        "Prompt",
        Text,
        "What samples begin with; \\n is a new line, as is nothing.",
    ),
    setting(
        Samples,
        "training.sample_tokens",
        "Length",
        Whole(0, 100_000),
        "Tokens in a sample.",
    ),
    setting(
        Samples,
        "training.sample_temperature",
        "Temperature",
        Number(0.0, 100.0),
        "Low is careful, high is wild; 0 takes the likeliest.",
    ),
];
