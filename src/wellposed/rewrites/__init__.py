"""Unstable formulas and their stable forms: a catalogue, and what matches it. Knows nobody, imports no array library.

``find(name)`` and ``all_rewrites()`` read the catalogue, ``match(node)`` and ``forms_for(node)`` say what fits a node
of a data-flow graph (`graph.Node`), `source` makes such graphs of source text, ``stable_code`` writes a stable form
with the user's names and ``compile_form`` runs one.
"""

from wellposed.rewrites.catalogue import UnknownRewriteError, all_rewrites, find
from wellposed.rewrites.entry import CatalogueError, Failure, Rewrite
from wellposed.rewrites.evaluate import compile_form, stable_code
from wellposed.rewrites.graph import Node, Operand, Value
from wellposed.rewrites.match import Match, forms_for, match, matches_within

__all__ = [
    "CatalogueError",
    "Failure",
    "Match",
    "Node",
    "Operand",
    "Rewrite",
    "UnknownRewriteError",
    "Value",
    "all_rewrites",
    "compile_form",
    "find",
    "forms_for",
    "match",
    "matches_within",
    "stable_code",
]
