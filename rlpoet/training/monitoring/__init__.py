"""Watching a run: which prompts can be learned at all, and alarms while it trains."""
