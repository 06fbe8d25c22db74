"""One training step on several processes of one machine."""
