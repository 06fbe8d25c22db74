"""Reinforcement learning of a policy: configuration, parts, the run from policy to report, and its trainers."""
