"""English words to phonemes and stress: CMUdict, derived forms, and spelling for the rest."""
