"""French words to phonemes and syllables, by spelling rules and a dictionary of exceptions."""
