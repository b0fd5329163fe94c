//! Searches of the store in memory: segments by their graphs, the buffer exactly.

use super::memory::{MemoryStore, Segment, check_k, check_vector};
use super::rows::Prepared;
use super::vector_store::{Hit, VectorQuery};
use lab_protocol::LabError;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

impl MemoryStore {
    /// The nearest vectors to a query.
    pub fn search(&self, query: &VectorQuery<'_>) -> Result<Vec<Hit>, LabError> {
        let prepared = self.check_query(query)?;
        let allow = self.allow(query);
        let effort = if query.effort == 0 {
            self.config.effort
        } else {
            query.effort
        };
        let mut rows = Vec::new();
        for segment in &self.segments {
            self.search_segment(
                segment,
                &prepared,
                query.k,
                effort.max(query.k),
                &allow,
                &mut rows,
            );
        }
        self.scan(
            self.sealed()..self.rows.len(),
            &prepared,
            query.k,
            &allow,
            &mut rows,
        );
        Ok(self.rank(rows, &prepared, query))
    }

    /// Searches exactly, over all vectors.
    pub fn search_exact(&self, query: &VectorQuery<'_>) -> Result<Vec<Hit>, LabError> {
        let prepared = self.check_query(query)?;
        let mut rows = Vec::new();
        self.scan(
            0..self.rows.len(),
            &prepared,
            query.k,
            &self.allow(query),
            &mut rows,
        );
        Ok(self.rank(rows, &prepared, query))
    }

    /// The ids of the vectors that a search visits in graphs, in order. Exact search visits none of them;
    /// removed vectors have an empty id.
    pub fn path(&self, query: &VectorQuery<'_>) -> Result<Vec<&str>, LabError> {
        let prepared = self.check_query(query)?;
        let effort = if query.effort == 0 {
            self.config.effort
        } else {
            query.effort
        };
        let mut rows = Vec::new();
        for segment in &self.segments {
            let start = segment.rows.start;
            let mut step = |node: u32| rows.push(start + node as usize);
            let allow = &mut |node: u32| self.live[start + node as usize];
            let effort = effort.max(query.k);
            segment
                .graph
                .search(&self.rows, start, &prepared, effort, allow, &mut step);
        }
        rows.dedup();
        Ok(rows.into_iter().map(|row| self.ids[row].as_str()).collect())
    }

    fn check_query(&self, query: &VectorQuery<'_>) -> Result<Prepared, LabError> {
        check_vector(query.vector, self.dimensions(), None)?;
        check_k(query.k)?;
        Ok(self.rows.prepare(query.vector))
    }

    fn allow<'a>(&'a self, query: &VectorQuery<'a>) -> impl Fn(usize) -> bool + 'a {
        let filter = query.filter;
        move |row| self.live[row] && filter.is_none_or(|filter| filter.allows(&self.metadata[row]))
    }

    fn search_segment(
        &self,
        segment: &Segment,
        query: &Prepared,
        k: usize,
        effort: usize,
        allow: &impl Fn(usize) -> bool,
        rows: &mut Vec<u32>,
    ) {
        let start = segment.rows.start;
        let duplicates = |node: u32| {
            let first = segment.duplicates.partition_point(|(of, _)| *of < node);
            segment.duplicates[first..]
                .iter()
                .take_while(move |(of, _)| *of == node)
                .map(|(_, row)| *row)
        };
        let mut any = |node: u32| {
            allow(start + node as usize)
                || (!segment.duplicates.is_empty()
                    && duplicates(node).any(|row| allow(row as usize)))
        };
        let found = segment
            .graph
            .search(&self.rows, start, query, effort, &mut any, &mut |_| {});
        let before = rows.len();
        for &node in &found.nodes {
            let row = start as u32 + node;
            rows.extend(
                std::iter::once(row)
                    .chain(duplicates(node))
                    .filter(|&row| allow(row as usize)),
            );
        }
        let enough = k.min(segment.rows.len() - segment.removed);
        if found.abandoned || rows.len() - before < enough {
            rows.truncate(before);
            self.scan(segment.rows.clone(), query, k, allow, rows);
        }
    }

    /// Adds the k nearest rows of a range. It compares bytes, so it also adds rows that the rounding error may
    /// have kept out of the nearest.
    fn scan(
        &self,
        range: Range<usize>,
        query: &Prepared,
        k: usize,
        allow: &impl Fn(usize) -> bool,
        rows: &mut Vec<u32>,
    ) {
        let k = k.min(range.len());
        if k == 0 {
            return;
        }
        let mut upper_bounds = Vec::with_capacity(range.len());
        // The k highest lower bounds of allowed rows.
        let mut lower_bounds: BinaryHeap<Reverse<Ordered>> = BinaryHeap::with_capacity(k + 1);
        let mut limit = f32::NEG_INFINITY;
        for row in range.clone() {
            let (key, error) = (self.rows.key(query, row), self.rows.key_error(query, row));
            upper_bounds.push(key + error);
            if key - error > limit && allow(row) {
                lower_bounds.push(Reverse(Ordered(key - error)));
                if lower_bounds.len() > k {
                    lower_bounds.pop();
                }
                if let Some(Reverse(worst)) =
                    lower_bounds.peek().filter(|_| lower_bounds.len() == k)
                {
                    limit = worst.0;
                }
            }
        }
        let open = range
            .zip(upper_bounds)
            .filter(|&(row, upper_bound)| upper_bound >= limit && allow(row));
        rows.extend(open.map(|(row, _)| row as u32));
    }

    fn rank(&self, rows: Vec<u32>, prepared: &Prepared, query: &VectorQuery<'_>) -> Vec<Hit> {
        let mut scored: Vec<(f32, u32)> = rows
            .into_iter()
            .map(|row| (self.rows.score(prepared, row as usize), row))
            .filter(|(score, _)| query.threshold.is_none_or(|threshold| *score >= threshold))
            .collect();
        let id = |row: u32| &self.ids[row as usize];
        scored.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| id(a.1).cmp(id(b.1))));
        scored.truncate(query.k);
        scored
            .into_iter()
            .map(|(score, row)| Hit {
                id: id(row).clone(),
                score,
            })
            .collect()
    }
}

/// Floats by their total order.
#[derive(Clone, Copy, PartialEq)]
struct Ordered(f32);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
