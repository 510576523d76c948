"""Activations that pass nothing on: dead, saturated, pinned."""
