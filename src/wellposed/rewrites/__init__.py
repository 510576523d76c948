"""Unstable formulas and their stable forms: a catalogue, and what matches it."""
