"""The contract of a policy, executable."""
