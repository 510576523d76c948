"""Products of matrices that cost more than they have to: one file per rule."""
