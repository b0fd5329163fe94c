//! A village for people and for other programs.

pub(crate) mod export;
pub(crate) mod handout;
