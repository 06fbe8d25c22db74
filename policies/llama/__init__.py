"""The fast path for Llama models on a processor: decoding and scoring by hand, held to transformers' numbers by tests."""
