"""Products of several matrices: the best order, exactly, what it costs, and its evaluation.

Knows the compiled core alone, and of arrays the library that they come from."""

from wellposed.chain.dispatch import Dispatcher, dispatcher
from wellposed.chain.evaluate import multi_dot
from wellposed.chain.half_precision import HalfPrecisionWarning
from wellposed.chain.operand import Operand
from wellposed.chain.plan import Plan, Product, matrix_chain_multiplication

__all__ = [
    "Dispatcher",
    "HalfPrecisionWarning",
    "Operand",
    "Plan",
    "Product",
    "dispatcher",
    "matrix_chain_multiplication",
    "multi_dot",
]
