"""Trajectory balance and its kin: objectives, flows, credit, exploration, replay and the trainer."""
