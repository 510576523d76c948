"""Functions outside the range in which they can be trusted."""
