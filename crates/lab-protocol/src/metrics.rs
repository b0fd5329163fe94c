//! The metrics: each is declared once, with its better direction. A metric that is not declared has none.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The better of two values of a metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    More,
    Less,
    #[default]
    Neither,
}

/// The description of a metric. Words are English, and keys of a language table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricInfo {
    /// The name in records and results, e.g. `validation_loss`; `@k` stands for any number, as in `recall@k`.
    pub name: Cow<'static, str>,
    /// Its title; empty for the name in words.
    pub label: Cow<'static, str>,
    /// The unit; may be empty.
    pub unit: Cow<'static, str>,
    pub direction: Direction,
    /// The quantity that it measures, in a few words.
    pub help: Cow<'static, str>,
}

impl MetricInfo {
    /// A metric of which nothing is known but its name.
    pub fn named(name: &str) -> Self {
        Self {
            name: Cow::Owned(name.to_owned()),
            ..Self::default()
        }
    }
}

const fn metric(
    name: &'static str,
    label: &'static str,
    unit: &'static str,
    direction: Direction,
    help: &'static str,
) -> MetricInfo {
    MetricInfo {
        name: Cow::Borrowed(name),
        label: Cow::Borrowed(label),
        unit: Cow::Borrowed(unit),
        direction,
        help: Cow::Borrowed(help),
    }
}

/// Suffix in the name of a metric's standard error.
pub const STANDARD_ERROR: &str = "_standard_error";
/// Prefix in the name of a metric on held-out data.
pub const VALIDATION: &str = "validation_";
/// Prefix in the name of a metric of the model that a strategy starts from.
pub const REFERENCE: &str = "reference_";
/// Suffix in the name of a metric of answers without passages.
pub const WITHOUT_RETRIEVAL: &str = "_without_retrieval";

/// The declaration of a metric of the lab, or of `others`, which are declared from outside. Names that follow from
/// others are known by one rule: on held-out data a metric means the same as elsewhere; its standard error, and its
/// value for the model that a strategy is compared with, have no better direction.
pub fn metric_info(name: &str, others: &[MetricInfo]) -> Option<MetricInfo> {
    let of = |name: &str| metric_info(name, others);
    let named = |info: MetricInfo, direction, help: Cow<'static, str>| MetricInfo {
        name: Cow::Owned(name.to_owned()),
        label: Cow::Borrowed(""),
        direction,
        help,
        ..info
    };
    let mut declared = METRICS.iter().chain(others);
    if let Some(info) = declared.find(|info| info.name == name) {
        return Some(info.clone());
    }
    if let Some((stem, number)) = name.rsplit_once('@')
        && number.parse::<usize>().is_ok()
    {
        let info = of(&format!("{stem}@k"))?;
        let help = info.help.clone();
        return Some(named(info.clone(), info.direction, help));
    }
    if let Some(info) = name.strip_suffix(STANDARD_ERROR).and_then(of) {
        return Some(named(info, Direction::Neither, "standard error".into()));
    }
    if let Some(info) = name.strip_suffix(WITHOUT_RETRIEVAL).and_then(of) {
        return Some(named(info, Direction::Neither, "without passages".into()));
    }
    if let Some(info) = name.strip_prefix(REFERENCE).and_then(of) {
        return Some(named(
            info,
            Direction::Neither,
            "of the model it starts from".into(),
        ));
    }
    let info = name.strip_prefix(VALIDATION).and_then(of)?;
    Some(named(
        info.clone(),
        info.direction,
        "on held-out data".into(),
    ))
}

/// The metrics of the lab, in the order in which they are offered.
#[rustfmt::skip] // A table reads by its lines.
pub static METRICS: &[MetricInfo] = {
    use Direction::{Less, More, Neither};
    &[
        metric("loss", "Loss", "nats", Less, "nats a token, last step"),
        metric("perplexity", "Perplexity", "tokens", Less, "tokens it hesitates between"),
        metric("accuracy", "Accuracy", "", More, "share of answers' tokens it has right"),
        metric("reward_accuracy", "Reward accuracy", "", More, "preferences in which the chosen answer scores more"),
        metric("average_reward", "Reward", "", More, "mean score of its answers"),
        metric("ppo_loss", "PPO loss", "", Neither, "clipped objective, negated"),
        metric("objective/kl", "KL to the start", "nats", Neither, "nats it has moved away from its start"),
        metric("objective/rlhf_reward", "Reward less KL", "", More, "what PPO makes larger"),
        metric("objective/scores", "Score", "", More, "mean score of its answers"),
        metric("objective/entropy", "Entropy", "nats", Neither, "nats of freedom an answer"),
        metric("objective/non_score_reward", "KL penalty", "", Neither, "taken off the reward"),
        metric("policy/approxkl_avg", "Approximate KL", "nats", Neither, "within an update"),
        metric("policy/clipfrac_avg", "Clip fraction", "", Neither, "tokens whose ratio was clipped"),
        metric("policy/entropy_avg", "Policy entropy", "nats", Neither, "nats of freedom a token"),
        metric("loss/policy_avg", "Policy loss", "", Neither, "mean over an update"),
        metric("loss/value_avg", "Value loss", "", Less, "mean over an update"),
        metric("explained_variance", "Explained variance", "", More, "of the returns, by the value head"),
        metric("kl_coef", "KL coefficient", "", Neither, "weight of the penalty"),
        metric("rewards/margins", "Margin", "nats", More, "implicit reward of the chosen answer over the rejected one"),
        metric("recall@k", "Recall", "", More, "questions whose passage was found"),
        metric("mrr", "Reciprocal rank", "", More, "mean of 1 / rank of the first hit"),
        metric("ndcg@10", "nDCG@10", "", More, "quality of the ranking"),
        metric("index_recall", "Index recall", "", More, "against exact search"),
        metric("bits_per_byte", "Bits per byte", "bits", Less, "on held-out text"),
        metric("learning_rate", "Learning rate", "", Neither, "of the last step"),
        metric("gradient_norm", "Gradient norm", "", Neither, "before clipping"),
        metric("held_out/known_facts", "Known facts", "", More, "sentences about people it read of, completed"),
        metric("held_out/unseen_questions", "Unseen questions", "", More, "answered exactly, about people it knows"),
        metric("held_out/new_facts", "New facts", "", More, "answered exactly, about people no model was taught"),
        metric("held_out/true_reward", "True reward", "", More, "mean, by the rule the preferences came from"),
        metric("held_out/perplexity", "Held-out perplexity", "tokens", Less, "tokens it hesitates between"),
        metric("token_count", "Tokens seen", "tokens", Neither, "in training"),
        metric("tokens_per_second", "Tokens a second", "tokens/s", More, "in training"),
        metric("held_out/reading", "Reading", "", More, "the answer stands in the prompt, or nowhere"),
        metric("held_out/nats_above_floor", "Nats above the floor", "nats", Less, "a token, above the entropy of the language"),
        metric("seconds", "", "s", Less, "computing time, pauses left out"),
        metric("parameters", "", "", Neither, "numbers in the model"),
        metric("trainable_parameters", "", "", Neither, "numbers that are learned"),
        metric("weight_bytes", "", "bytes", Less, "memory of the weights"),
        metric("optimizer_bytes", "", "bytes", Less, "memory of the optimiser's moments"),
        metric("peak_bytes", "", "bytes", Less, "most memory that the run held at once"),
        metric("validation_tokens", "", "tokens", Neither, "tokens that the validation loss is measured on"),
        metric("exact_match", "", "", More, "answers that are right to the letter"),
        metric("training_reward_accuracy", "", "", More, "the same on the preferences that are learned"),
        metric("replay_loss", "", "nats", Less, "nats a token of the replayed text, last step"),
        metric("reward_loss", "", "nats", Less, "of the reward model, a preference"),
        metric("reward_length_correlation", "", "", Neither, "between the reward of answers and their length"),
        metric("response_length", "", "tokens", Neither, "mean length of answers"),
        metric("evaluation_reward", "", "", More, "mean score of answers to held-out prompts"),
        metric("true_reward", "", "", More, "mean, by the rule the preferences came from"),
        metric("true_reward_gain_in_standard_errors", "", "", More, "gain over the start, in its standard error"),
        metric("perplexity_ratio", "", "", Less, "to the perplexity of the start"),
        metric("rewards/chosen", "", "nats", Neither, "implicit reward of the chosen answers"),
        metric("rewards/rejected", "", "nats", Neither, "implicit reward of the rejected answers"),
        metric("val/clipfrac_avg", "", "", Neither, "values that were clipped"),
        metric("val/ratio", "", "", Neither, "mean ratio of the policy to the one that sampled"),
        metric("val/ratio_var", "", "", Neither, "variance of that ratio"),
        metric("val/first_ratio", "", "", Neither, "that ratio in the first minibatch: 1 where all is right"),
        metric("val/first_approxkl", "", "nats", Neither, "approximate KL of the first minibatch: 0 where all is right"),
        metric("val/first_clipfrac", "", "", Neither, "clip fraction of the first minibatch: 0 where all is right"),
        metric("val/num_eos_tokens", "", "", Neither, "answers that came to their end"),
        metric("val/minibatches", "", "", Neither, "minibatches that an update learned from"),
        metric("val/cut_short", "", "", Neither, "1 where an update ended at the largest KL"),
        metric("val/sampling_error", "", "nats", Less, "largest difference between sampling and scoring"),
        metric("lr", "", "", Neither, "learning rate of the last step"),
        metric("eps", "", "1/s", More, "episodes a second"),
        metric("episode", "", "", Neither, "answers sampled so far"),
        metric("grad_norm", "", "", Neither, "norm of the gradient before clipping"),
        metric("documents_indexed", "", "", Neither, "documents in the index"),
        metric("chunks_indexed", "", "", Neither, "chunks in the index"),
        metric("index_ms", "", "ms", Less, "time to make the index"),
        metric("index_bytes", "", "bytes", Less, "size of the index"),
        metric("retrieval_ms_p50", "", "ms", Less, "time of a search, median"),
        metric("retrieval_ms_p95", "", "ms", Less, "time of a search, 95th percentile"),
        metric("ndcg@k", "", "", More, "quality of the ranking"),
        metric("precision@k", "", "", More, "share of the passages found that hold the answer"),
        metric("answer_exact_match", "", "", More, "answers from passages that are right to the letter"),
        metric("answer_f1", "", "", More, "words that answers share with the right ones"),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    fn direction(name: &str) -> Direction {
        metric_info(name, &[]).unwrap_or_default().direction
    }

    /// Words in a name decide nothing: a reward's loss is a loss, and a correlation with it is neither.
    #[test]
    fn which_way_is_better_is_declared() {
        assert_eq!(direction("reward_loss"), Direction::Less);
        assert_eq!(direction("reward_length_correlation"), Direction::Neither);
        assert_eq!(direction("objective/kl"), Direction::Neither);
        assert_eq!(direction("held_out/true_reward"), Direction::More);
        assert_eq!(direction("retrieval_ms_p95"), Direction::Less);
        assert_eq!(direction("a_score_of_nobody"), Direction::Neither);
    }

    #[test]
    fn names_that_follow_from_others_are_known() {
        assert_eq!(direction("validation_loss"), Direction::Less);
        assert_eq!(direction("recall@3"), Direction::More);
        assert_eq!(direction("loss_standard_error"), Direction::Neither);
        assert_eq!(
            direction("reference_validation_perplexity"),
            Direction::Neither
        );
        assert_eq!(direction("answer_f1_without_retrieval"), Direction::Neither);
        for unknown in [
            "recall@x",
            "validation_",
            "_standard_error",
            "held_out/nothing",
        ] {
            assert_eq!(metric_info(unknown, &[]), None, "{unknown}");
        }
    }

    #[test]
    fn a_metric_from_outside_declares_itself() {
        let polite = MetricInfo {
            direction: Direction::More,
            ..MetricInfo::named("held_out/politeness")
        };
        let others = [polite.clone()];
        assert_eq!(metric_info("held_out/politeness", &others), Some(polite));
        let error = metric_info("held_out/politeness_standard_error", &others).unwrap();
        assert_eq!(error.direction, Direction::Neither);
    }

    #[test]
    fn each_metric_is_declared_once() {
        for (index, info) in METRICS.iter().enumerate() {
            assert!(!info.help.is_empty(), "{} has no help", info.name);
            let twice = METRICS[..index].iter().any(|other| other.name == info.name);
            assert!(!twice, "{} is declared twice", info.name);
        }
    }
}
