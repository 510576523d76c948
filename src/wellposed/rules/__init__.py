"""Rules: pure functions of a record, one file a rule. They know `record` and `findings`, and nobody else."""
