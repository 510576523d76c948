"""Products that are written down before they are done: a tree of them, its best order, and what that changed.

Knows no library of arrays: each says by a `Library` how it multiplies, turns and scales.
"""

from wellposed.chain.lazy.evaluation import Library, evaluate
from wellposed.chain.lazy.expression import Node, Scaling, Site, is_factor, leaf, product, scaled, transposed
from wellposed.chain.lazy.rewrites import Rewrite, table
from wellposed.chain.lazy.shapes import product_shape

__all__ = [
    "Library",
    "Node",
    "Rewrite",
    "Scaling",
    "Site",
    "evaluate",
    "is_factor",
    "leaf",
    "product",
    "product_shape",
    "scaled",
    "table",
    "transposed",
]
