"""Rules that see trouble before it does harm: the early-warning signals, asked of a record."""
