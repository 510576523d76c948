"""Faces for code that calls us: one file a framework."""
