//! The training strategies and the contract they share.
