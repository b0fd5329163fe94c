//! The settings of the strategies that learn from preferences, as their cards show them: RLHF, GRPO, DPO.

use crate::lora_settings;
use crate::settings::Group::{Adapter, Answers, Data, Evaluation, Main, Optimiser, Policy, Reward};
use crate::settings::Kind::{Choice, Number, Part, Rows, Switch, Text, Whole};
use crate::settings::{ABOVE_ZERO, ANY, Setting, only, setting};

/// The settings of an `OptimizerConfig` at a path that ends with a dot; the rate stands in a group of
/// its own.
macro_rules! optimizer_settings {
    ($group:expr, $at:literal, $rate:expr) => {
        &[
            setting(
                $rate,
                concat!($at, "learning_rate"),
                "Learning rate",
                Number(0.0, 10.0),
                "How far a step moves the weights, at most.",
            ),
            setting(
                $group,
                concat!($at, "minimum_learning_rate"),
                "Lowest rate",
                Number(0.0, 10.0),
                "Where the schedule ends.",
            ),
            setting(
                $group,
                concat!($at, "warmup_steps"),
                "Warm-up steps",
                Whole(0, ANY),
                "Steps in which the rate rises from 0.",
            ),
            setting(
                $group,
                concat!($at, "gradient_clip"),
                "Gradient clip",
                Number(0.0, 1e6),
                "Largest norm of the gradient; 0 is no limit.",
            ),
            setting(
                $group,
                concat!($at, "weight_decay"),
                "Weight decay",
                Number(0.0, 10.0),
                "Pull of the matrices towards 0.",
            ),
            setting(
                $group,
                concat!($at, "beta1"),
                "Beta 1",
                Number(0.0, 0.999_999),
                "Memory of AdamW's mean.",
            ),
            setting(
                $group,
                concat!($at, "beta2"),
                "Beta 2",
                Number(0.0, 0.999_999),
                "Memory of AdamW's variance.",
            ),
            setting(
                $group,
                concat!($at, "epsilon"),
                "Epsilon",
                Number(ABOVE_ZERO, 1.0),
                "Keeps AdamW from dividing by 0.",
            ),
        ]
    };
}

/// What stands in `reward.kind` for a trained model.
const MODEL: &[&str] = &["model"];
/// A part that is there.
const THERE: &[&str] = &["true"];

/// Path of the pairs that were collected.
pub const PREFERENCES: &str = "preferences";

const COLLECTED: Setting = setting(
    Data,
    PREFERENCES,
    "Collected pairs",
    Rows,
    "Pairs to learn from instead of the data's, such as {\"prompt\": \"…\", \"chosen\": \"…\", \"rejected\": \"…\"}, one a line. Compare answers of a model below to collect some.",
);

/// Pairs that were collected; for DPO.
pub const COLLECTED_PAIRS: &[Setting] = &[COLLECTED];

/// Pairs that were collected, for a reward model; shared by RLHF and GRPO.
pub const COLLECTED_FOR_REWARD: &[Setting] = &[only("reward.kind", MODEL, COLLECTED)];

/// Where the reward comes from; shared by RLHF and GRPO.
pub const REWARD: &[Setting] = &[
    setting(
        Main,
        "reward.kind",
        "Reward",
        Choice(&[
            ("model", "A model of preferences"),
            ("pattern", "A pattern"),
            ("length", "The length"),
            ("function", "A function"),
        ]),
        "Where the reward of an answer comes from.",
    ),
    only(
        "reward.kind",
        &["pattern"],
        setting(
            Main,
            "reward.pattern",
            "Pattern",
            Text,
            "A regular expression, such as please|thank you.",
        ),
    ),
    only(
        "reward.kind",
        &["pattern"],
        setting(
            Main,
            "reward.weight",
            "Weight",
            Number(-1e6, 1e6),
            "Reward for each place where the pattern matches.",
        ),
    ),
    only(
        "reward.kind",
        &["length"],
        setting(
            Main,
            "reward.tokens",
            "Tokens",
            Whole(1, 100_000),
            "The length that is rewarded most.",
        ),
    ),
    only(
        "reward.kind",
        MODEL,
        setting(
            Reward,
            "reward_model.steps",
            "Reward steps",
            Whole(1, 1_000_000),
            "Updates of the reward model, before the policy learns.",
        ),
    ),
    only(
        "reward.kind",
        MODEL,
        setting(
            Reward,
            "reward_model.batch_size",
            "Pairs",
            Whole(1, 4096),
            "Pairs of answers in a step of the reward model.",
        ),
    ),
    only(
        "reward.kind",
        MODEL,
        setting(
            Reward,
            "reward_model.centre",
            "Centre",
            Number(0.0, 1e3),
            "Keeps rewards around 0.",
        ),
    ),
    only(
        "reward.kind",
        MODEL,
        setting(
            Reward,
            "reward_model.normalise",
            "Normalise",
            Switch,
            "Brings rewards to mean 0 and deviation 1.",
        ),
    ),
    only(
        "reward.kind",
        MODEL,
        setting(
            Reward,
            "reward_model.normalisation_samples",
            "Answers to normalise by",
            Whole(2, 100_000),
            "Answers of the start by which that is measured.",
        ),
    ),
    only(
        "reward.kind",
        MODEL,
        setting(
            Reward,
            "reward_model.evaluation_interval",
            "Evaluate reward every",
            Whole(0, ANY),
            "Steps between evaluations on held-out pairs; 0 is at the end only.",
        ),
    ),
    only(
        "reward.kind",
        MODEL,
        setting(
            Reward,
            "reward_model.lora",
            "Low-rank reward",
            Part,
            "Adapts the reward model by low-rank matrices instead of training all of it.",
        ),
    ),
];

pub const REWARD_ADAPTER: &[Setting] = lora_settings!(
    Reward,
    "reward_model.lora.",
    "reward_model.lora",
    THERE,
    0.95
);

pub const REWARD_OPTIMIZER: &[Setting] =
    optimizer_settings!(Reward, "reward_model.optimizer.", Reward);

/// How answers are sampled.
pub const ROLLOUT: &[Setting] = &[
    setting(
        Answers,
        "rollout.response_tokens",
        "Longest answer",
        Whole(1, 32_768),
        "Most tokens of an answer.",
    ),
    setting(
        Answers,
        "rollout.temperature",
        "Temperature",
        Number(1e-3, 100.0),
        "How freely answers are sampled.",
    ),
    setting(
        Answers,
        "rollout.stop",
        "Ends with",
        Text,
        "A text of one token that ends an answer; empty is the tokenizer's own.",
    ),
    setting(
        Answers,
        "rollout.missing_eos_penalty",
        "Unfinished",
        Number(0.0, 1e6),
        "Taken off the score of an answer that does not end.",
    ),
];

/// The policy as an adapter.
pub const POLICY_PART: &[Setting] = &[setting(
    Adapter,
    "lora",
    "Adapter only",
    Part,
    "Trains low-rank matrices on the frozen start instead of all weights.",
)];

pub const POLICY_ADAPTER: &[Setting] = lora_settings!(Adapter, "lora.", "lora", THERE, 0.0);

/// What is measured and kept meanwhile.
pub const REPORT: &[Setting] = &[
    setting(
        Evaluation,
        "report.evaluation_interval",
        "Evaluate every",
        Whole(0, ANY),
        "Steps between evaluations; 0 is before the first and after the last.",
    ),
    setting(
        Evaluation,
        "report.evaluation_prompts",
        "Prompts",
        Whole(0, ANY),
        "Held-out prompts answered in an evaluation; 0 is all.",
    ),
    setting(
        Evaluation,
        "report.sample_interval",
        "Sample every",
        Whole(0, ANY),
        "Steps between samples.",
    ),
    setting(
        Evaluation,
        "report.samples",
        "Samples",
        Whole(0, ANY),
        "Answers shown each time.",
    ),
    setting(
        Evaluation,
        "report.checkpoint_interval",
        "Checkpoint every",
        Whole(0, ANY),
        "Steps between states to continue from; 0 is none.",
    ),
];

pub const PPO: &[Setting] = &[
    setting(
        Main,
        "ppo.steps",
        "Steps",
        Whole(1, 1_000_000),
        "Updates, each on answers sampled for it.",
    ),
    setting(
        Main,
        "ppo.batch_size",
        "Batch",
        Whole(2, 65_536),
        "Answers of an update.",
    ),
    setting(
        Main,
        "ppo.kl_coefficient",
        "KL coefficient",
        Number(0.0, 1e3),
        "What a nat away from the start costs.",
    ),
    setting(
        Policy,
        "ppo.minibatches",
        "Minibatches",
        Whole(1, ANY),
        "Parts of a batch; a divisor of it.",
    ),
    setting(
        Policy,
        "ppo.epochs",
        "Epochs",
        Whole(1, 1000),
        "Times that each answer is learned from.",
    ),
    setting(
        Policy,
        "ppo.kl_target",
        "KL target",
        Number(1e-6, 1e6),
        "Nats an answer towards which the coefficient adapts; empty keeps it fixed.",
    ),
    setting(
        Policy,
        "ppo.kl_horizon",
        "KL horizon",
        Number(1.0, 1e12),
        "Answers over which it adapts.",
    ),
    setting(
        Policy,
        "ppo.gamma",
        "Gamma",
        Number(0.0, 1.0),
        "Weight of later rewards.",
    ),
    setting(
        Policy,
        "ppo.lambda",
        "Lambda",
        Number(0.0, 1.0),
        "Between the value's guess (0) and the rewards themselves (1).",
    ),
    setting(
        Policy,
        "ppo.clip",
        "Clip",
        Number(1e-6, 10.0),
        "How far an update may move a token's probability.",
    ),
    setting(
        Policy,
        "ppo.value_clip",
        "Value clip",
        Number(1e-6, 1e6),
        "How far an update may move a value.",
    ),
    setting(
        Policy,
        "ppo.value_coefficient",
        "Value weight",
        Number(0.0, 1e3),
        "Weight of the value's loss.",
    ),
    setting(
        Policy,
        "ppo.entropy_coefficient",
        "Entropy weight",
        Number(0.0, 1e3),
        "Reward for staying undecided.",
    ),
    setting(
        Policy,
        "ppo.whiten_rewards",
        "Whiten rewards",
        Switch,
        "Divides rewards by their deviation.",
    ),
    setting(
        Policy,
        "ppo.maximum_kl",
        "Largest KL",
        Number(0.0, 1e3),
        "An update ends this far from the policy that sampled; 0 is never.",
    ),
];

pub const PPO_OPTIMIZER: &[Setting] = optimizer_settings!(Optimiser, "ppo.optimizer.", Main);

pub const GRPO: &[Setting] = &[
    setting(
        Main,
        "steps",
        "Steps",
        Whole(1, 1_000_000),
        "Updates, each on answers sampled for it.",
    ),
    setting(
        Main,
        "prompts",
        "Prompts",
        Whole(1, 65_536),
        "Prompts of an update.",
    ),
    setting(
        Main,
        "group",
        "Group",
        Whole(2, 4096),
        "Answers to each prompt, compared with each other.",
    ),
    setting(
        Main,
        "kl_coefficient",
        "KL coefficient",
        Number(0.0, 1e3),
        "What a nat away from the start costs.",
    ),
    setting(
        Policy,
        "minibatches",
        "Minibatches",
        Whole(1, ANY),
        "Parts of the answers; a divisor of them.",
    ),
    setting(
        Policy,
        "epochs",
        "Epochs",
        Whole(1, 1000),
        "Times that each answer is learned from.",
    ),
    setting(
        Policy,
        "clip",
        "Clip",
        Number(1e-6, 10.0),
        "How far an update may move a token's probability.",
    ),
    setting(
        Policy,
        "kl",
        "KL stands in",
        Choice(&[
            ("loss_k3", "The loss (k3)"),
            ("loss_k2", "The loss (k2)"),
            ("reward", "The reward"),
        ]),
        "Where the divergence is held against the policy.",
    ),
    setting(
        Policy,
        "scale_advantages",
        "Scale advantages",
        Switch,
        "Divides them by the deviation of their group.",
    ),
    setting(
        Policy,
        "maximum_kl",
        "Largest KL",
        Number(0.0, 1e3),
        "An update ends this far from the policy that sampled; 0 is never.",
    ),
];

pub const OPTIMIZER: &[Setting] = optimizer_settings!(Optimiser, "optimizer.", Main);

pub const DPO: &[Setting] = &[
    setting(
        Main,
        "steps",
        "Steps",
        Whole(1, 1_000_000),
        "Updates of the weights.",
    ),
    setting(
        Main,
        "batch_size",
        "Batch",
        Whole(1, 4096),
        "Pairs of answers in a step.",
    ),
    setting(
        Main,
        "beta",
        "Beta",
        Number(1e-6, 1e3),
        "How dear it is to leave the start: the larger, the nearer it stays.",
    ),
    setting(
        Policy,
        "label_smoothing",
        "Wrong labels",
        Number(0.0, 0.5),
        "Share of the preferences that are held to be wrong.",
    ),
];
