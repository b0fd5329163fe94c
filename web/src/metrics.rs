//! The page's words for metrics; their descriptions and directions are the protocol's.

use lab_protocol::{Direction, METRICS, MetricInfo, VALIDATION, metric_info};
use std::cell::RefCell;

thread_local! {
    /// Declarations, by runs, of metrics that the lab does not know.
    static DECLARED: RefCell<Vec<MetricInfo>> = RefCell::default();
}

/// Takes note of metrics that a run declares; the last declaration of a name holds.
pub fn declare(metrics: &[MetricInfo]) {
    DECLARED.with_borrow_mut(|declared| {
        for metric in metrics {
            declared.retain(|known| known.name != metric.name);
            declared.push(metric.clone());
        }
    });
}

fn known(name: &str) -> Option<MetricInfo> {
    DECLARED.with_borrow(|declared| metric_info(name, declared))
}

/// The topic of a metric: its name, without the data on which it was measured. A chart shows a topic.
pub fn topic(name: &str) -> &str {
    name.strip_prefix(VALIDATION).unwrap_or(name)
}

/// The name under which a topic is recorded for held-out data.
pub fn validation(topic: &str) -> String {
    format!("{VALIDATION}{topic}")
}

/// A metric's title: `Validation loss` for `validation_loss`, `Index ms` for `index_ms`.
pub fn title(name: &str) -> String {
    match known(name) {
        Some(info) if !info.label.is_empty() => return info.label.into_owned(),
        _ => {}
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

/// The title within a sentence: small letters, except for abbreviations.
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

/// A short description of a metric; empty if it would add nothing to its name.
pub fn help(name: &str) -> String {
    known(name).unwrap_or_default().help.into_owned()
}

pub fn better(name: &str) -> Direction {
    known(name).unwrap_or_default().direction
}

/// The rank of a metric among others: declared ones first, in their order.
pub fn rank(name: &str) -> usize {
    METRICS
        .iter()
        .position(|known| known.name == topic(name))
        .unwrap_or(METRICS.len())
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
        assert_eq!(better("validation_loss"), Direction::Less);
    }

    #[test]
    fn a_run_declares_what_the_lab_does_not_know() {
        assert_eq!(better("validation_oddness"), Direction::Neither);
        declare(&[MetricInfo {
            label: "Oddness".into(),
            direction: Direction::More,
            ..MetricInfo::named("oddness")
        }]);
        assert_eq!(title("validation_oddness"), "Validation oddness");
        assert_eq!(better("validation_oddness"), Direction::More);
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
