"""Tests of rewards, yours too: the contract they keep and the attacks they withstand."""
