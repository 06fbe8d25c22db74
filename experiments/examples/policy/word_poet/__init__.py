"""A policy and a reward for rlpoet, found by their entry points."""
