"""Questions answered once, each by a program that writes its table."""
