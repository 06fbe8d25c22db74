"""The fast path for Llama models on CPUs: its own decoding and scoring, which tests compare with transformers' numbers."""
