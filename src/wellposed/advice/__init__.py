"""Advice from a recording: what would hold in another format, and what a safeguard should be."""
