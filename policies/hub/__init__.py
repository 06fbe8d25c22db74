"""Any Hugging Face causal LM by its own forward pass: drawing and scoring, on any device."""
