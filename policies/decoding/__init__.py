"""Drawing tokens: sampling, beam search, logits processors, lines with given first or last words, streaming."""
