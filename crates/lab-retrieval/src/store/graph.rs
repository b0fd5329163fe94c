//! A hierarchical navigable small world graph (Malkov and Yashunin 2018). `instant-distance` builds it. Our own
//! form of it takes a third of the memory, allows any search width and any filter, and is stored as plain
//! numbers.
//!
//! How `instant-distance` 0.6.1 is used, and why:
//! - Its order of insertion comes from a generator that differs between machines of 32 and 64 bits. The
//!   points are handed over in the order that this generator will undo, so the graph depends on our
//!   order only, and is the same in wasm.
//! - On several threads it inserts in any order. A pool of one thread keeps the order.
//! - Its layers follow from a logarithm, which is a constant here.
//! - Equal vectors fill each other's lists of neighbours: the caller passes distinct ones only.

use super::distance::{ByteDot, byte_dot};
use super::rows::{Prepared, Rows};
use instant_distance::{Builder, Heuristic, Point};
use lab_protocol::LabError;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize, Serializer};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// 1/ln(32), as instant-distance has 32 links in a layer above the lowest.
const LAYER_SHARE: f32 = 0.288_539;

/// The links of each node, by layer. The nodes of upper layers come first; a search begins at node 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The lowest layer first.
    pub layers: Vec<Links>,
}

/// The links of a layer: node i links to `targets[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Links {
    pub offsets: Vec<u32>,
    pub targets: Vec<u32>,
}

impl Links {
    pub fn nodes(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    fn of(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.targets[self.offsets[node] as usize..self.offsets[node + 1] as usize]
    }
}

/// A vector by its row.
#[derive(Clone)]
struct RowPoint<'a> {
    rows: &'a Rows,
    row: u32,
    byte_dot: ByteDot,
}

impl Point for RowPoint<'_> {
    fn distance(&self, other: &Self) -> f32 {
        self.rows
            .distance(self.byte_dot, self.row as usize, other.row as usize)
    }
}

impl Serialize for RowPoint<'_> {
    /// Only the links are wanted: the vectors are already in `Rows`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

/// The links within a serialised `Hnsw`. Lists end at the first place that holds u32::MAX.
#[derive(Deserialize)]
struct Built {
    zero: Vec<Vec<u32>>,
    layers: Vec<Vec<Vec<u32>>>,
}

/// Builds the graph of `chosen`, rows with distinct vectors. Returns with it the order in which the rows are
/// its nodes: node i is row `order[i]`.
pub fn build(
    rows: &Rows,
    chosen: &[u32],
    seed: u64,
    ef_construction: usize,
) -> Result<(Graph, Vec<u32>), LabError> {
    let mut order = chosen.to_vec();
    shuffle(&mut order, seed);
    // The source of the point at each place, as instant-distance will choose it.
    let mut generator = SmallRng::seed_from_u64(seed);
    let number = order.len() as u32;
    let mut sources: Vec<(u32, usize)> = (0..order.len())
        .map(|place| (generator.gen_range(0..number), place))
        .collect();
    sources.sort_unstable();
    let byte_dot = byte_dot();
    let mut points: Vec<Option<RowPoint>> = vec![None; order.len()];
    for (&(_, source), &row) in sources.iter().zip(&order) {
        points[source] = Some(RowPoint {
            rows,
            row,
            byte_dot,
        });
    }
    let points: Vec<RowPoint> = points.into_iter().flatten().collect();
    let heuristic = Heuristic {
        extend_candidates: false,
        keep_pruned: false,
    };
    let builder = Builder::default()
        .seed(seed)
        .ml(LAYER_SHARE)
        .ef_construction(ef_construction)
        .select_heuristic(Some(heuristic));
    let build = || builder.build_hnsw(points);
    let (built, ids) = match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool.install(build),
        Err(_) => build(),
    };
    // If another generator chose the sources, the nodes are other rows.
    let as_expected = sources.iter().enumerate().all(|(place, &(_, source))| {
        ids.get(source)
            .is_some_and(|id| id.into_inner() as usize == place)
    });
    if !as_expected {
        return Err(LabError::internal(
            "instant-distance orders its points in an unknown way",
        ));
    }
    let text = serde_json::to_vec(&built).map_err(|error| LabError::internal(error.to_string()))?;
    drop(built);
    let built: Built =
        serde_json::from_slice(&text).map_err(|error| LabError::internal(error.to_string()))?;
    let layers = std::iter::once(built.zero)
        .chain(built.layers)
        .map(compact)
        .collect();
    Ok((Graph { layers }, order))
}

/// Fisher and Yates with a generator of 64 bits (SplitMix64), the same on every machine.
fn shuffle(order: &mut [u32], seed: u64) {
    let mut state = seed;
    for last in (1..order.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let other = ((u128::from(mixed) * (last as u128 + 1)) >> 64) as usize;
        order.swap(last, other);
    }
}

fn compact(lists: Vec<Vec<u32>>) -> Links {
    let mut links = Links {
        offsets: vec![0],
        targets: Vec::new(),
    };
    for list in lists {
        links
            .targets
            .extend(list.into_iter().take_while(|&target| target != u32::MAX));
        links.offsets.push(links.targets.len() as u32);
    }
    links
}

/// A key with its node in one number, ordered by key and then by descending node.
#[inline]
fn packed(key: f32, node: u32) -> u64 {
    let bits = key.to_bits();
    let ordered = if bits >> 31 == 0 {
        bits | 0x8000_0000
    } else {
        !bits
    };
    (u64::from(ordered) << 32) | u64::from(!node)
}

#[inline]
fn node(packed: u64) -> u32 {
    !(packed as u32)
}

/// The result of a search in a graph.
pub struct Found {
    /// Nodes, the nearest first.
    pub nodes: Vec<u32>,
    /// Number of nodes whose key was computed.
    pub visited: usize,
    /// The search stopped because `allow` accepts too few nodes: an exact scan is cheaper.
    pub abandoned: bool,
}

impl Graph {
    pub fn nodes(&self) -> usize {
        self.layers.first().map_or(0, Links::nodes)
    }

    pub fn bytes(&self) -> usize {
        self.layers
            .iter()
            .map(|links| 4 * (links.offsets.len() + links.targets.len()))
            .sum()
    }

    /// Up to `ef` nodes nearest to the query that `allow` accepts; the search passes over other nodes too.
    /// Node i is row `first_row + i` of `rows`. `step` is called with each visited node.
    pub fn search(
        &self,
        rows: &Rows,
        first_row: usize,
        query: &Prepared,
        ef: usize,
        allow: &mut dyn FnMut(u32) -> bool,
        step: &mut dyn FnMut(u32),
    ) -> Found {
        let mut found = Found {
            nodes: Vec::new(),
            visited: 1,
            abandoned: false,
        };
        if self.nodes() == 0 || ef == 0 {
            return found;
        }
        let key = |node: u32| rows.key(query, first_row + node as usize);
        let mut entry = packed(key(0), 0);
        step(0);
        for links in self.layers.iter().skip(1).rev() {
            loop {
                let best = links
                    .of(node(entry))
                    .iter()
                    .map(|&next| packed(key(next), next))
                    .max();
                found.visited += links.of(node(entry)).len();
                match best {
                    Some(best) if best > entry => {
                        entry = best;
                        step(node(entry));
                    }
                    _ => break,
                }
            }
        }
        let Some(links) = self.layers.first() else {
            return found;
        };
        // After this many nodes without enough accepted ones, an exact scan is cheaper.
        let budget = 16 * ef + self.nodes() / 4;
        let mut seen = vec![0u64; self.nodes().div_ceil(64)];
        let mut unseen = |node: u32| {
            let (word, bit) = (&mut seen[node as usize / 64], 1u64 << (node % 64));
            let new = *word & bit == 0;
            *word |= bit;
            new
        };
        unseen(node(entry));
        let mut waiting = BinaryHeap::from([entry]);
        let mut nearest: BinaryHeap<Reverse<u64>> = BinaryHeap::with_capacity(ef + 1);
        if allow(node(entry)) {
            nearest.push(Reverse(entry));
        }
        let mut fresh: Vec<u32> = Vec::with_capacity(64);
        while let Some(current) = waiting.pop() {
            let mut limit = match nearest.peek() {
                Some(Reverse(worst)) if nearest.len() >= ef => *worst,
                _ => 0,
            };
            if current < limit {
                break;
            }
            if limit == 0 && found.visited > budget {
                found.abandoned = true;
                break;
            }
            step(node(current));
            fresh.clear();
            fresh.extend(
                links
                    .of(node(current))
                    .iter()
                    .copied()
                    .filter(|&next| unseen(next)),
            );
            found.visited += fresh.len();
            for &next in &fresh {
                let candidate = packed(key(next), next);
                if candidate <= limit {
                    continue;
                }
                waiting.push(candidate);
                if !allow(next) {
                    continue;
                }
                nearest.push(Reverse(candidate));
                if nearest.len() > ef {
                    nearest.pop();
                }
                if let Some(Reverse(worst)) = nearest.peek().filter(|_| nearest.len() >= ef) {
                    limit = *worst;
                }
            }
        }
        found.nodes = nearest
            .into_sorted_vec()
            .into_iter()
            .map(|Reverse(key)| node(key))
            .collect();
        found
    }
}
