"""finetuning: say in one sentence what is in this room."""
