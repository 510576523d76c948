"""Division by zero and by very small numbers."""
