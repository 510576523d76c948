"""Products of several matrices: the best order, exactly, and what it costs. Knows the compiled core alone."""

from wellposed.chain.dispatch import Dispatcher, dispatcher
from wellposed.chain.operand import Operand
from wellposed.chain.plan import Plan, Product, matrix_chain_multiplication

__all__ = ["Dispatcher", "Operand", "Plan", "Product", "dispatcher", "matrix_chain_multiplication"]
