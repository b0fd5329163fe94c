//! The scheduler without executors: single situations, then any order of everything that can happen.

mod any_order;
mod situations;
mod world;
