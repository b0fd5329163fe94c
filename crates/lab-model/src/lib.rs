//! The language model: tokenizers, decoder, sampling, optimiser, kernels, formats.
