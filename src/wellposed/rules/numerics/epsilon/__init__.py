"""Epsilons that are missing, lost in their dtype, or too large."""
