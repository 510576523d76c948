"""wellposed for JAX: ``wellposed.jax.ordered(f)`` multiplies in the order with the fewest multiplications.

Imports JAX; `wellposed` itself does not.
"""

from __future__ import annotations

from wellposed.integrations.ordered_jax import Explanation, ordered

__all__ = ["Explanation", "ordered"]
