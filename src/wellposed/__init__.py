"""wellposed: is your program well posed?

``wellposed run train.py`` records an unmodified PyTorch program and names where its numbers break. In a notebook or a
training loop, ``with wellposed.watch(model, optimizer) as w:`` does the same for a stretch of code, and
``wellposed.audit(model, batch, loss_fn)`` probes a model once without training it;
``wellposed.epsilons(model, batch, loss_fn, optimizer)`` judges every epsilon in it.

``wellposed.matrix_chain_multiplication([10, 100, 5, 50])`` finds the best order for a product of several matrices, and
``wellposed.multi_dot([A, B, C])`` multiplies in it. Programs as they stand are put into it by ``@wellposed.ordered``
(NumPy and eager PyTorch), ``torch.compile(model, backend="wellposed")`` (settings: `wellposed.torch`) and
``wellposed.jax.ordered``.

``wellposed.costs(fn, *args)`` and ``wellposed python script.py`` tell what Python itself costs, cause by cause.

Importing this package is cheap: what a name needs, PyTorch above all, is loaded when the name is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wellposed.chain import Plan, matrix_chain_multiplication, multi_dot
    from wellposed.integrations.digits import DigitsReport, digits
    from wellposed.integrations.epsilons import EpsilonReport, epsilons
    from wellposed.integrations.ordered import Ordered, ordered
    from wellposed.integrations.pytorch import Watch, audit, watch
    from wellposed.integrations.would_fit import FitReport, would_fit
    from wellposed.interpreter import Costs, costs
    from wellposed.signals import EarlyWarning, InstabilityWarning, StoppedByWatch

__version__ = "0.1.0"
__all__ = [
    "Costs",
    "DigitsReport",
    "EarlyWarning",
    "EpsilonReport",
    "FitReport",
    "InstabilityWarning",
    "Ordered",
    "Plan",
    "StoppedByWatch",
    "Watch",
    "__version__",
    "audit",
    "costs",
    "digits",
    "epsilons",
    "matrix_chain_multiplication",
    "multi_dot",
    "ordered",
    "watch",
    "would_fit",
]

_HOMES = {
    "DigitsReport": "integrations.digits",
    "Costs": "interpreter",
    "EarlyWarning": "signals",
    "EpsilonReport": "integrations.epsilons",
    "FitReport": "integrations.would_fit",
    "InstabilityWarning": "signals",
    "Ordered": "integrations.ordered",
    "Plan": "chain",
    "StoppedByWatch": "signals",
    "Watch": "integrations.pytorch",
    "audit": "integrations.pytorch",
    "digits": "integrations.digits",
    "epsilons": "integrations.epsilons",
    "costs": "interpreter",
    "matrix_chain_multiplication": "chain",
    "multi_dot": "chain",
    "ordered": "integrations.ordered",
    "watch": "integrations.pytorch",
    "would_fit": "integrations.would_fit",
}
"""The modules of what is loaded when it is first used."""
_MODULES = ("jax", "torch")
"""Modules of this package that need the library they are named after."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"wellposed.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Kept: coming here takes longer than the product of a few small matrices.
    value = globals()[name] = getattr(importlib.import_module(f"wellposed.{_HOMES[name]}"), name)
    return value
