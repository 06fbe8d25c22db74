"""Spanish verse: synaloepha, accent patterns, scansion and rhyme."""
