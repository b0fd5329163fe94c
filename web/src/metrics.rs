//! What the metrics are called, what they mean, and which way is better.

/// Which of two values of a metric one would rather have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Lower,
    Higher,
    Neither,
}

/// Name in the records, title, what it is, which way is better.
type Known = (&'static str, &'static str, &'static str, Better);

/// The metrics that have words of their own, in the order in which they are offered. Others are shown
/// under their names.
const KNOWN: &[Known] = {
    use Better::{Higher, Lower, Neither};
    &[
        ("loss", "Loss", "nats a token, last step", Lower),
        (
            "perplexity",
            "Perplexity",
            "tokens it hesitates between",
            Lower,
        ),
        (
            "accuracy",
            "Accuracy",
            "share of answers' tokens it has right",
            Higher,
        ),
        (
            "reward_accuracy",
            "Reward accuracy",
            "pairs in which the preferred answer scores more",
            Higher,
        ),
        (
            "average_reward",
            "Reward",
            "mean score of its answers",
            Higher,
        ),
        (
            "ppo_loss",
            "PPO loss",
            "clipped objective, negated",
            Neither,
        ),
        (
            "objective/kl",
            "KL to the start",
            "nats it has moved away from its start",
            Neither,
        ),
        (
            "objective/rlhf_reward",
            "Reward less KL",
            "what PPO makes larger",
            Higher,
        ),
        (
            "objective/scores",
            "Score",
            "mean score of its answers",
            Higher,
        ),
        (
            "objective/entropy",
            "Entropy",
            "nats of freedom a token",
            Neither,
        ),
        (
            "objective/non_score_reward",
            "KL penalty",
            "taken off the reward",
            Neither,
        ),
        (
            "policy/approxkl_avg",
            "Approximate KL",
            "within an update",
            Neither,
        ),
        (
            "policy/clipfrac_avg",
            "Clip fraction",
            "tokens whose ratio was clipped",
            Neither,
        ),
        (
            "policy/entropy_avg",
            "Policy entropy",
            "nats of freedom a token",
            Neither,
        ),
        (
            "loss/policy_avg",
            "Policy loss",
            "mean over an update",
            Neither,
        ),
        ("loss/value_avg", "Value loss", "mean over an update", Lower),
        (
            "explained_variance",
            "Explained variance",
            "of the returns, by the value head",
            Higher,
        ),
        (
            "kl_coef",
            "KL coefficient",
            "weight of the penalty",
            Neither,
        ),
        ("margin", "Margin", "chosen over rejected", Higher),
        (
            "recall@k",
            "Recall",
            "questions whose passage was found",
            Higher,
        ),
        (
            "mrr",
            "Reciprocal rank",
            "mean of 1 / rank of the first hit",
            Higher,
        ),
        ("ndcg@10", "nDCG@10", "quality of the ranking", Higher),
        (
            "index_recall",
            "Index recall",
            "against exact search",
            Higher,
        ),
        ("bits_per_byte", "Bits per byte", "on held-out text", Lower),
        (
            "learning_rate",
            "Learning rate",
            "of the last step",
            Neither,
        ),
        ("gradient_norm", "Gradient norm", "before clipping", Neither),
        (
            "held_out/known_facts",
            "Known facts",
            "sentences about people it read of, completed",
            Higher,
        ),
        (
            "held_out/unseen_questions",
            "Unseen questions",
            "answered exactly, about people it knows",
            Higher,
        ),
        (
            "held_out/new_facts",
            "New facts",
            "answered exactly, about people no model was taught",
            Higher,
        ),
        (
            "held_out/true_reward",
            "True reward",
            "mean, by the rule the preferences came from",
            Higher,
        ),
        (
            "held_out/perplexity",
            "Held-out perplexity",
            "tokens it hesitates between",
            Lower,
        ),
        ("token_count", "Tokens seen", "in training", Neither),
        (
            "tokens_per_second",
            "Tokens a second",
            "in training",
            Higher,
        ),
        (
            "held_out/reading",
            "Reading",
            "the answer stands in the prompt, or nowhere",
            Higher,
        ),
        (
            "held_out/nats_above_floor",
            "Nats above the floor",
            "a token, above the entropy of the language",
            Lower,
        ),
    ]
};

const VALIDATION: &str = "validation_";

/// What a metric is about: its name, without saying on which data it was measured. A chart shows a topic.
pub fn topic(name: &str) -> &str {
    name.strip_prefix(VALIDATION).unwrap_or(name)
}

/// The name under which a topic is recorded for held-out data.
pub fn validation(topic: &str) -> String {
    format!("{VALIDATION}{topic}")
}

fn known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.0 == name)
}

/// A metric's title: `Validation loss` for `validation_loss`, `Index ms` for `index_ms`.
pub fn title(name: &str) -> String {
    if let Some((_, title, ..)) = known(name) {
        return (*title).to_owned();
    }
    if let Some(of) = name.strip_prefix(VALIDATION) {
        return format!("Validation {}", title_in_sentence(of));
    }
    let words = name.replace(['_', '/'], " ");
    let mut characters = words.chars();
    characters.next().map_or(words.clone(), |first| {
        format!("{}{}", first.to_uppercase(), characters.as_str())
    })
}

/// The title as it stands inside a sentence: small letters, but for abbreviations.
pub fn title_in_sentence(name: &str) -> String {
    let title = title(name);
    let mut characters = title.chars();
    match (characters.next(), characters.next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            format!("{}{second}{}", first.to_lowercase(), characters.as_str())
        }
        _ => title,
    }
}

/// What a metric is, in a few words; empty where there is nothing to add to its name.
pub fn help(name: &str) -> &'static str {
    if name.starts_with(VALIDATION) {
        return "on held-out data";
    }
    known(name).map_or("", |known| known.2)
}

pub fn better(name: &str) -> Better {
    known(topic(name)).map_or(Better::Neither, |known| known.3)
}

/// Where a metric stands among others: known ones first, in their order.
pub fn rank(name: &str) -> usize {
    KNOWN
        .iter()
        .position(|known| known.0 == topic(name))
        .unwrap_or(KNOWN.len())
}

/// The topics of these names, each once, in the order in which they are offered.
pub fn topics<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut topics: Vec<String> = names.map(|name| topic(name).to_owned()).collect();
    topics.sort_by(|a, b| (rank(a), a).cmp(&(rank(b), b)));
    topics.dedup();
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_and_its_validation_are_one_topic() {
        let names = ["validation_loss", "zeta", "loss", "learning_rate", "alpha"];
        assert_eq!(
            topics(names.into_iter()),
            ["loss", "learning_rate", "alpha", "zeta"]
        );
        assert_eq!(better("validation_loss"), Better::Lower);
    }

    #[test]
    fn names_become_titles() {
        assert_eq!(title("validation_loss"), "Validation loss");
        assert_eq!(title("index_ms"), "Index ms");
        assert_eq!(title("objective/kl"), "KL to the start");
        assert_eq!(title("policy/ratio"), "Policy ratio");
        assert_eq!(title(""), "");
    }
}
