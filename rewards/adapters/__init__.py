"""Rewards across borders: plain functions as rewards, and rewards as functions of trl, verl, OpenRLHF and verifiers."""
