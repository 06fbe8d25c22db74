"""PPO of this project beside trl's on one small task: same seeds, same rewards, both curves."""
