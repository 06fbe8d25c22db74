"""What a run is compared with: GRPO and RLOO of trl, rejection sampling, best of n."""
