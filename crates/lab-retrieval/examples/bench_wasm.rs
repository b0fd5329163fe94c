//! The store as a bare wasm module, for the benchmark beside hnswlib-wasm (tests/bench-retrieval/wasm.mjs).

use lab_retrieval::{MemoryStore, StoreConfig, VectorEntry, VectorQuery};
use std::cell::RefCell;
use std::rc::Rc;

thread_local! {
    static STORE: RefCell<Option<MemoryStore>> = const { RefCell::new(None) };
    static FOUND: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Room for floats, which is never given back: the module lives for one benchmark.
#[unsafe(no_mangle)]
pub extern "C" fn room(floats: usize) -> *mut f32 {
    Box::leak(vec![0.0f32; floats].into_boxed_slice()).as_mut_ptr()
}

/// Builds a store of the vectors that were put into room. Returns its bytes, 0 after an error.
///
/// # Safety
/// `vectors` must come from [`room`], with at least `number * dimensions` floats.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn build(vectors: *const f32, number: usize, dimensions: usize) -> usize {
    // SAFETY: as the caller promises.
    let vectors = unsafe { std::slice::from_raw_parts(vectors, number * dimensions) };
    let entries = vectors.chunks_exact(dimensions).enumerate();
    let entries = entries.map(|(id, vector)| VectorEntry {
        id: id.to_string(),
        vector: vector.to_vec(),
        metadata: Rc::default(),
    });
    let Ok(mut store) = MemoryStore::new(dimensions, StoreConfig::default()) else {
        return 0;
    };
    if store.put(entries.collect()).is_err() {
        return 0;
    }
    let bytes = store.bytes();
    STORE.set(Some(store));
    bytes
}

/// Searches for `k` vectors, whose numbers then stand at the address that is returned; 0 after an error.
///
/// # Safety
/// `query` must come from [`room`], with at least as many floats as the store's vectors have.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn search(query: *const f32, k: usize, effort: usize) -> *const u32 {
    STORE.with_borrow(|store| {
        let Some(store) = store else {
            return std::ptr::null();
        };
        // SAFETY: as the caller promises.
        let vector = unsafe { std::slice::from_raw_parts(query, store.dimensions()) };
        let request = VectorQuery {
            effort,
            ..VectorQuery::new(vector, k)
        };
        let Ok(hits) = store.search(&request) else {
            return std::ptr::null();
        };
        FOUND.with_borrow_mut(|found| {
            found.clear();
            found.extend(
                hits.iter()
                    .map(|hit| hit.id.parse::<u32>().unwrap_or(u32::MAX)),
            );
            found.resize(k, u32::MAX);
            found.as_ptr()
        })
    })
}
