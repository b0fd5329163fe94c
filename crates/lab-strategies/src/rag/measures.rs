//! The quality of the search and of the answers, measured on the village's questions about facts that only the
//! documents contain.

use crate::asking::generator::{Asked, Generator};
use crate::rag::rag_index::RagIndex;
use crate::run::context::RunContext;
use lab_protocol::LabError;
use lab_retrieval::measures::{
    Evaluation, Judgements, exact_match, index_recall, percentile, quality, token_f1,
};
use lab_retrieval::{Hit, TextKind, VectorQuery};
use lab_village::{Question, Village};
use std::collections::{BTreeMap, HashMap};

impl RagIndex {
    /// Measures how well the village's questions find their documents, and how long a search takes.
    pub async fn measure(
        &self,
        village: &Village,
        run: &RunContext,
    ) -> Result<BTreeMap<String, f64>, LabError> {
        let depth = self.config.evaluation_depth;
        let mut found = HashMap::new();
        let mut milliseconds = Vec::new();
        for question in &village.library.questions {
            let begun = run.now();
            let passages = self.search(&question.text, depth).await?;
            milliseconds.push(run.now() - begun);
            let mut documents: Vec<String> = Vec::new();
            for passage in passages {
                if !documents.contains(&passage.chunk.document) {
                    documents.push(passage.chunk.document);
                }
            }
            found.insert(question.id.clone(), documents);
        }
        let mut judged: BTreeMap<String, Judgements> = BTreeMap::new();
        for relevance in &village.library.relevance {
            let of_question = judged.entry(relevance.question.clone()).or_default();
            // A passage about the right person that does not contain the answer does not help the generator.
            if relevance.grade >= lab_village::ANSWERS {
                of_question.insert(relevance.document.clone(), relevance.grade as i32);
            }
        }
        let evaluation = Evaluation {
            cutoffs: [self.config.passages.min(depth), depth].into(),
            mrr_depth: depth,
            ..Evaluation::default()
        };
        let mut metrics = quality(&found, &judged, &evaluation).means;
        for (name, percent) in [("retrieval_ms_p50", 50.0), ("retrieval_ms_p95", 95.0)] {
            if let Some(value) = percentile(&milliseconds, percent) {
                metrics.insert(name.to_owned(), value);
            }
        }
        if let Some(recall) = self.index_recall(&village.library.questions).await? {
            metrics.insert("index_recall".to_owned(), recall);
        }
        Ok(metrics)
    }

    /// Share of the nearest vectors that the index's search also finds; `None` for search by terms alone.
    async fn index_recall(&self, questions: &[Question]) -> Result<Option<f64>, LabError> {
        let (Some(store), Some(embedder)) = (self.index.store(), self.embedder()) else {
            return Ok(None);
        };
        let texts: Vec<&str> = questions.iter().map(|q| q.text.as_str()).collect();
        let mut sum = 0.0;
        for vector in embedder.embed(&texts, TextKind::Query).await? {
            let query = VectorQuery::new(&vector, self.config.evaluation_depth);
            let (found, exact) = (store.search(&query)?, store.search_exact(&query)?);
            let ids = |hits: &[Hit]| hits.iter().map(|hit| hit.id.clone()).collect::<Vec<_>>();
            let (found, exact) = (ids(&found), ids(&exact));
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            let exact: Vec<&str> = exact.iter().map(String::as_str).collect();
            sum += index_recall(&found, &exact);
        }
        Ok((!texts.is_empty()).then(|| sum / texts.len() as f64))
    }

    /// Measures the model's answers to the village's questions about facts that only the documents contain, with and
    /// without the passages found: exact match and shared words. `None` if the run was told to stop meanwhile.
    pub async fn measure_answers(
        &self,
        questions: &[Question],
        generator: &dyn Generator,
        run: &RunContext,
    ) -> Result<Option<BTreeMap<String, f64>>, LabError> {
        let mut with = Vec::with_capacity(questions.len());
        let mut without = Vec::with_capacity(questions.len());
        for question in questions {
            let alone = || Asked {
                question: question.text.clone(),
                passages: Vec::new(),
            };
            with.push(
                self.ground(&question.text, generator)
                    .await?
                    .unwrap_or_else(alone),
            );
            without.push(alone());
        }
        let mut metrics = BTreeMap::new();
        for (asked, ending) in [(with, ""), (without, "_without_retrieval")] {
            let Some(texts) = generator.answer(&asked, run).await? else {
                return Ok(None);
            };
            let (mut exact, mut f1) = (0.0, 0.0);
            for (question, text) in questions.iter().zip(&texts) {
                let accepted = question.accepted();
                let accepted: Vec<&str> = accepted.iter().map(String::as_str).collect();
                exact += f64::from(u8::from(exact_match(text, &accepted)));
                f1 += token_f1(text, &accepted);
            }
            let number = questions.len().max(1) as f64;
            metrics.insert(format!("answer_exact_match{ending}"), exact / number);
            metrics.insert(format!("answer_f1{ending}"), f1 / number);
        }
        Ok(Some(metrics))
    }
}
