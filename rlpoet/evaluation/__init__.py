"""Evaluation of poems: form, variety, sense, rewards, comparison with human poems, and a second judge."""
