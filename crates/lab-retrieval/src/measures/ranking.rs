//! Measures of rankings by relevance judgements, as trec_eval defines them and BEIR reports them. Over several
//! queries each measure is the mean over the queries that have a relevant document.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The relevance of each judged document to one query. A document is relevant above 0; an unlisted one is not.
pub type Judgements = HashMap<String, i32>;

/// The gain of a document in nDCG, from its relevance. Both are equal if relevance is 0 or 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gain {
    /// The relevance itself (Järvelin and Kekäläinen 2002), as in trec_eval and BEIR.
    #[default]
    Linear,
    /// 2^relevance − 1 (Burges et al. 2005).
    Exponential,
}

impl Gain {
    fn of(self, relevance: i32) -> f64 {
        match self {
            Self::Linear => f64::from(relevance.max(0)),
            Self::Exponential => libm::exp2(f64::from(relevance.max(0))) - 1.0,
        }
    }
}

fn is_relevant(judgements: &Judgements, id: &str) -> bool {
    judgements.get(id).is_some_and(|relevance| *relevance > 0)
}

fn found(ranking: &[&str], judgements: &Judgements, k: usize) -> usize {
    ranking
        .iter()
        .take(k)
        .filter(|id| is_relevant(judgements, id))
        .count()
}

/// Share of the relevant documents that are among the first k; 0 if there are none.
pub fn recall(ranking: &[&str], judgements: &Judgements, k: usize) -> f64 {
    let relevant = judgements
        .values()
        .filter(|relevance| **relevance > 0)
        .count();
    if relevant == 0 {
        0.0
    } else {
        found(ranking, judgements, k) as f64 / relevant as f64
    }
}

/// Share of the first k places that relevant documents have; empty places count as places.
pub fn precision(ranking: &[&str], judgements: &Judgements, k: usize) -> f64 {
    if k == 0 {
        0.0
    } else {
        found(ranking, judgements, k) as f64 / k as f64
    }
}

/// 1/rank of the first relevant document among the first k; 0 without one.
pub fn reciprocal_rank(ranking: &[&str], judgements: &Judgements, k: usize) -> f64 {
    let place = ranking
        .iter()
        .take(k)
        .position(|id| is_relevant(judgements, id));
    place.map_or(0.0, |place| 1.0 / (place + 1) as f64)
}

/// Normalised discounted cumulative gain of the first k, with the discount log2(rank + 1); 0 if nothing is
/// relevant.
pub fn ndcg(ranking: &[&str], judgements: &Judgements, k: usize, gain: Gain) -> f64 {
    let sum = |relevances: &mut dyn Iterator<Item = i32>| -> f64 {
        relevances
            .take(k)
            .enumerate()
            .map(|(index, relevance)| gain.of(relevance) / libm::log2(index as f64 + 2.0))
            .sum()
    };
    let mut best: Vec<i32> = judgements.values().copied().collect();
    best.sort_unstable_by(|a, b| b.cmp(a));
    let ideal = sum(&mut best.into_iter());
    let real = sum(&mut ranking
        .iter()
        .map(|id| judgements.get(*id).copied().unwrap_or(0)));
    if ideal > 0.0 { real / ideal } else { 0.0 }
}

/// Settings of the evaluation of rankings. The default is BEIR's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Evaluation {
    /// The k of `ndcg@k`, `recall@k` and `precision@k`.
    pub cutoffs: BTreeSet<usize>,
    pub gain: Gain,
    /// `mrr` looks at this many documents of a ranking.
    pub mrr_depth: usize,
    /// A document with the id of the query is taken out of its ranking. In some collections (ArguAna, Quora)
    /// the query is itself a document, and would always be found first.
    pub ignore_identical_ids: bool,
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            cutoffs: BTreeSet::from([10]),
            gain: Gain::default(),
            mrr_depth: 10,
            ignore_identical_ids: true,
        }
    }
}

/// Means over queries, by measure: `ndcg@k`, `recall@k`, `precision@k`, `mrr`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    pub queries: usize,
    /// The mean of each measure.
    pub means: BTreeMap<String, f64>,
}

/// The measures of rankings, best document first, by query id. A query without a ranking counts as one that
/// found nothing; one without a relevant document is left out.
pub fn quality(
    rankings: &HashMap<String, Vec<String>>,
    judgements: &BTreeMap<String, Judgements>,
    evaluation: &Evaluation,
) -> Quality {
    let answerable: Vec<_> = judgements
        .iter()
        .filter(|(_, j)| j.values().any(|relevance| *relevance > 0))
        .collect();
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (query, judgements) in &answerable {
        let ranking: Vec<&str> = rankings
            .get(*query)
            .into_iter()
            .flatten()
            .filter(|id| !(evaluation.ignore_identical_ids && id == query))
            .map(String::as_str)
            .collect();
        let mut add = |name: String, value: f64| *sums.entry(name).or_default() += value;
        for &k in &evaluation.cutoffs {
            add(
                format!("ndcg@{k}"),
                ndcg(&ranking, judgements, k, evaluation.gain),
            );
            add(format!("recall@{k}"), recall(&ranking, judgements, k));
            add(format!("precision@{k}"), precision(&ranking, judgements, k));
        }
        add(
            "mrr".into(),
            reciprocal_rank(&ranking, judgements, evaluation.mrr_depth),
        );
    }
    let number = answerable.len().max(1) as f64;
    Quality {
        queries: answerable.len(),
        means: sums
            .into_iter()
            .map(|(name, sum)| (name, sum / number))
            .collect(),
    }
}

/// Share of the exact results that an index's search found too.
pub fn index_recall(found: &[&str], exact: &[&str]) -> f64 {
    let exact: HashSet<&&str> = exact.iter().collect();
    if exact.is_empty() {
        return 1.0;
    }
    found
        .iter()
        .filter(|id| exact.contains(id))
        .collect::<HashSet<_>>()
        .len() as f64
        / exact.len() as f64
}

/// The value below which `percent` of the values lie, between neighbours by their distance (as NumPy's
/// default); none without values. Values that are not numbers are left out.
pub fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = (percent / 100.0).clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (
        *sorted.get(place.floor() as usize)?,
        *sorted.get(place.ceil() as usize)?,
    );
    Some(low + (high - low) * place.fract())
}
