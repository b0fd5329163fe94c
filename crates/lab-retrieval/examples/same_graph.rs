//! The index as a wasm module, to be compared with the native one.

use lab_retrieval::{HashedConfig, HashedEmbedder, MemoryStore, StoreConfig, VectorEntry};
use std::rc::Rc;

/// The fingerprint of a graph over hashed vectors of made-up texts.
#[unsafe(no_mangle)]
pub extern "C" fn fingerprint(number: u32, seed: u64) -> u32 {
    let store = HashedEmbedder::new(HashedConfig {
        dimensions: 96,
        ..HashedConfig::default()
    })
    .and_then(|embedder| {
        let config = StoreConfig {
            exact_below: 64,
            seed,
            ..StoreConfig::default()
        };
        let mut store = MemoryStore::new(96, config)?;
        let entries = (0..number).map(|i| VectorEntry {
            id: i.to_string(),
            vector: embedder.vector(&format!("text {} of {} by {}", i % 97, i / 7, i * i % 1009)),
            metadata: Rc::default(),
        });
        store.put(entries.collect())?;
        Ok(store)
    });
    store.map_or(0, |store| store.fingerprint())
}
