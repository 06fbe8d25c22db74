"""Rewards: scores of a text as verse, in [0, 1]. No torch, no policies."""

__rlpoet__ = True
