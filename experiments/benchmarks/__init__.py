"""Speed and accuracy: sampling, training steps, verse tools, and the default job on a small machine."""
