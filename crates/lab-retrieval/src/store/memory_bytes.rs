//! The store in memory as bytes: vectors, ids and graphs. Reading checks all bytes before using them.

use super::bytes::{Reader, Writer, corrupt};
use super::graph::{Graph, Links};
use super::memory::{LARGEST, MAX_DIMENSIONS, MemoryStore, Segment, StoreConfig, is_usable};
use lab_protocol::{LabError, Metadata, text};
use std::collections::HashSet;
use std::rc::Rc;

impl MemoryStore {
    /// Appends the store.
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.number(self.dimensions());
        writer.f32s(&self.rows.full);
        writer.number(self.ids.len());
        for (id, &live) in self.ids.iter().zip(&self.live) {
            writer.text(id);
            writer.number(usize::from(live));
        }
        writer.number(self.segments.len());
        for segment in &self.segments {
            writer.number(segment.rows.end);
            let (of, rows): (Vec<u32>, Vec<u32>) = segment.duplicates.iter().copied().unzip();
            writer.u32s(&of);
            writer.u32s(&rows);
            writer.number(segment.graph.layers.len());
            for links in &segment.graph.layers {
                writer.u32s(&links.offsets);
                writer.u32s(&links.targets);
            }
        }
    }

    /// Reads a store. `metadata` gives the metadata of an id.
    pub(crate) fn read(
        reader: &mut Reader,
        config: StoreConfig,
        metadata: &dyn Fn(&str) -> Rc<Metadata>,
    ) -> Result<Self, LabError> {
        let dimensions = reader.number()?;
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Err(corrupt(
                "the index file is damaged: its vectors have an impossible length",
            ));
        }
        let mut store = MemoryStore::new(dimensions, config).map_err(|error| error.at("index"))?;
        let full = reader.f32s()?;
        if full.len() % dimensions != 0 {
            return Err(corrupt("the index file is damaged: a vector is cut short"));
        }
        for vector in full.chunks_exact(dimensions) {
            if !is_usable(vector) {
                return Err(corrupt(text!(
                    "the index file is damaged: a vector has a number that is not finite, or beyond {largest}",
                    largest = format!("{LARGEST:e}"),
                )));
            }
            store.rows.push(vector);
        }
        // An id takes at least its length and its live flag.
        let number = reader.count(16)?;
        if number != store.rows.len() {
            return Err(corrupt(
                "the index file is damaged: it has fewer or more ids than vectors",
            ));
        }
        for row in 0..number {
            let id = reader.text()?.to_owned();
            let live = match reader.number()? {
                0 => false,
                1 => true,
                _ => {
                    return Err(corrupt(
                        "the index file is damaged: a live flag is neither 0 nor 1",
                    ));
                }
            };
            if live && store.places.insert(id.clone(), row as u32).is_some() {
                return Err(corrupt("the index file is damaged: an id comes twice"));
            }
            store.metadata.push(metadata(&id));
            store.ids.push(id);
            store.live.push(live);
        }
        // A segment takes at least five numbers.
        for _ in 0..reader.count(40)? {
            let segment = read_segment(reader, &store)?;
            store.segments.push(segment);
        }
        Ok(store)
    }
}

fn read_segment(reader: &mut Reader, store: &MemoryStore) -> Result<Segment, LabError> {
    let start = store.in_graphs();
    let end = reader.number()?;
    if end <= start || end > store.rows.len() {
        return Err(corrupt(
            "the index file is damaged: the bounds of a graph are wrong",
        ));
    }
    let (of, rows) = (reader.u32s()?, reader.u32s()?);
    let mut layers = Vec::new();
    // A layer takes at least its two counts.
    for _ in 0..reader.count(16)? {
        layers.push(Links {
            offsets: reader.u32s()?,
            targets: reader.u32s()?,
        });
    }
    let graph = Graph { layers };
    check_graph(&graph)?;
    // The nodes come first, then the duplicates, each of one node.
    let nodes = graph.nodes();
    let copies: HashSet<u32> = rows.iter().copied().collect();
    let fits = of.len() == rows.len()
        && nodes + rows.len() == end - start
        && copies.len() == rows.len()
        && rows
            .iter()
            .all(|&row| (start + nodes..end).contains(&(row as usize)))
        && of.iter().all(|&node| (node as usize) < nodes)
        && of.is_sorted();
    if !fits {
        return Err(corrupt(
            "the index file is damaged: the duplicates in a graph are wrong",
        ));
    }
    let removed = store.live[start..end].iter().filter(|live| !**live).count();
    Ok(Segment {
        rows: start..end,
        graph,
        duplicates: of.into_iter().zip(rows).collect(),
        removed,
    })
}

/// Checks that links stay in their layer and that each layer is part of the one below.
fn check_graph(graph: &Graph) -> Result<(), LabError> {
    let mut below = usize::MAX;
    for links in &graph.layers {
        let nodes = links.nodes();
        let whole = links.offsets.first() == Some(&0)
            && links.offsets.is_sorted()
            && links
                .offsets
                .last()
                .is_some_and(|&last| last as usize == links.targets.len());
        let inside = links
            .targets
            .iter()
            .all(|&target| (target as usize) < nodes);
        if !whole || !inside || nodes == 0 || nodes > below {
            return Err(corrupt(
                "the index file is damaged: the links of a graph are wrong",
            ));
        }
        below = nodes;
    }
    if graph.layers.is_empty() {
        Err(corrupt("the index file is damaged: a graph has no layer"))
    } else {
        Ok(())
    }
}
