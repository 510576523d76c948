"""The causes a finding can carry: one closed vocabulary, shared with the JSON contract and with labelled programs."""

from __future__ import annotations

from typing import Final, Literal

Cause = Literal[
    "exploding-gradient",
    "vanishing-gradient",
    "bad-init",
    "saturation",
    "dead-relu",
    "division-by-small",
    "unstable-function",
    "learning-rate",
    "float16-range",
    "low-precision-update",
    "missing-normalisation",
    "epsilon",
    "cancellation",
    "low-precision-accumulation",
    "bad-data",
    "product-order",
    "python-overhead",
]

CAUSES: Final[tuple[Cause, ...]] = Cause.__args__  # type: ignore[attr-defined]
