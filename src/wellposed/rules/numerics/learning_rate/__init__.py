"""Steps that are too large, or too small to matter."""
