"""wellposed: is your program well posed?

``wellposed run train.py`` records an unmodified PyTorch program and names where its numbers break. In a notebook or a
training loop, ``with wellposed.watch(model, optimizer) as w:`` does the same for a stretch of code, and
``wellposed.audit(model, batch, loss_fn)`` probes a model once without training it.

``wellposed.matrix_chain_multiplication([10, 100, 5, 50])`` finds the best order for a product of several matrices,
and ``@wellposed.ordered`` has code use it (``wellposed.jax.ordered`` in JAX).

Importing this package is cheap: PyTorch is loaded when one of these is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wellposed.chain import Plan, matrix_chain_multiplication
    from wellposed.integrations.ordered import Ordered, ordered
    from wellposed.integrations.pytorch import Watch, audit, watch
    from wellposed.signals import EarlyWarning, InstabilityWarning, StoppedByWatch

__version__ = "0.1.0"
__all__ = [
    "EarlyWarning",
    "InstabilityWarning",
    "Ordered",
    "Plan",
    "StoppedByWatch",
    "Watch",
    "__version__",
    "audit",
    "matrix_chain_multiplication",
    "ordered",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name in ("Watch", "audit", "watch"):
        from wellposed.integrations import pytorch as module

        return getattr(module, name)
    if name in ("Ordered", "ordered"):
        from wellposed.integrations import ordered as ordering

        return getattr(ordering, name)
    if name in ("EarlyWarning", "InstabilityWarning", "StoppedByWatch"):
        from wellposed import signals

        return getattr(signals, name)
    if name in ("Plan", "matrix_chain_multiplication"):
        from wellposed import chain

        return getattr(chain, name)
    if name == "jax":
        import importlib

        return importlib.import_module("wellposed.jax")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
