"""ppo_against_trl: say in one sentence what is in this room."""
