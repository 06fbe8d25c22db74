"""The command line: `rlpoet VERB`, and JSON Lines for machines."""
