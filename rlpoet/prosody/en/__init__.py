"""English verse: stress patterns, feet, scansion and rhyme."""
