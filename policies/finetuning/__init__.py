"""Going on from a policy, or from any Hugging Face causal LM, on poems of your choice."""
