"""Weights that start wrong: zero, alike, too large, too small."""
