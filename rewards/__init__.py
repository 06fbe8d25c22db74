"""Rewards: what makes a text good verse, in [0, 1]. No torch, no policies. Import names are the folder names."""

__rlpoet__ = True
