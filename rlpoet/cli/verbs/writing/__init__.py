"""The verbs for those who write poems."""
