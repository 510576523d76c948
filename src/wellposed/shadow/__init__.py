"""Every operator beside a shadow of itself in higher precision: where digits go (docs/digits.md)."""
