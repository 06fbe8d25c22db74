"""What a run goes on from: its folder and whose it is, its checkpoints, and the signals that stop it between two steps."""
