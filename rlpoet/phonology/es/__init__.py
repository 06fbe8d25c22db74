"""Spanish words to phonemes, syllables and stress, by letters and rules."""
