"""Products of several matrices: the best order, exactly, and what it costs. Knows the compiled core alone."""

from wellposed.chain.plan import Plan, Product, matrix_chain_multiplication

__all__ = ["Plan", "Product", "matrix_chain_multiplication"]
