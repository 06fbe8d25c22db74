"""French verse: mute e, diaeresis, caesura, scansion and rhyme."""
