//! The built-in world: texts to train on.
