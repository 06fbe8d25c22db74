"""Opening policies: names, folders, runs, LoRA adapters, GGUF files and the local Hugging Face cache."""
