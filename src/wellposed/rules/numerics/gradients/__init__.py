"""Gradients that explode or vanish, over depth and over time."""
