"""Tests for rewards, shipped ones and yours: the contract and the red team's attacks."""
