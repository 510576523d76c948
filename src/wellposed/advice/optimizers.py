"""The epsilons of optimizers, against the gradients that the record holds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from wellposed.advice.distribution import Distribution, distribution_of_values
from wellposed.advice.epsilon import Use
from wellposed.advice.found import Found
from wellposed.findings import Location
from wellposed.record import Event, Record

FIRST_STEPS = 8
"""Steps whose gradients are looked at: later ones may be small because the training has converged."""
_INSIDE_ROOT = frozenset({"Adadelta"})
"""Optimizers that add ε to the second moment, inside the root."""
_OF_NORM = frozenset({"Muon"})
"""Optimizers that add ε to the norm of the whole gradient."""


def optimizer_epsilons(record: Record) -> Iterator[Found]:
    """One for each optimizer with an epsilon, as its first group of parameters has it."""
    for event in record.events("optimizer"):
        epsilon = event.details.get("eps")
        # No gradient is as large as an integer that no float holds.
        if not isinstance(epsilon, (int, float)) or not 0 <= epsilon < 1e300:
            continue
        name = str(event.details.get("class", "optimizer"))
        dtype = _dtype(record, event)
        use: Use = "root quotient" if name in _INSIDE_ROOT else "update"
        protected, quiet = _gradients(record, name)
        site = event.site
        yield Found(
            where=Location(
                file=site.file if site else None,
                line=site.line if site else None,
                function=(site.function or None) if site else None,
                phase="optimizer",
            ),
            kind=name,
            use=use,
            value=float(epsilon),
            dtype=dtype,
            forward_dtype=dtype,
            backward_dtype=dtype,
            quantity="gradient norm of a parameter" if name in _OF_NORM else "gradient rms of a parameter",
            protected=protected,
            missing=epsilon == 0 and quiet,
        )


def _dtype(record: Record, event: Event) -> str:
    """Of the second moment where the optimizer's state was seen, else of most parameters; the fused kernels compute in
    float32."""
    if event.details.get("fused"):
        return "float32"
    for state in record.events("optimizer-state"):
        kept = state.details.get("state")
        if state.details.get("class") == event.details.get("class") and isinstance(kept, dict):
            for name in ("exp_avg_sq", "square_avg", "sum", "exp_inf"):
                if isinstance(kept.get(name), str):
                    return str(kept[name])
    dtypes = Counter(parameter.dtype for parameter in record.parameters())
    return dtypes.most_common(1)[0][0] if dtypes else "float32"


def _gradients(record: Record, name: str) -> tuple[Distribution | None, bool]:
    """How the rms of the parameters' gradients is spread in the first steps, and whether elements of them are zero."""
    rows = [each for step in record.gradient_steps()[:FIRST_STEPS] for each in record.parameter_steps(step=step)]
    known = [each.gradient for each in rows if each.gradient is not None and not each.gradient.nonfinite]
    if not known:
        return None, False
    scale = [math.sqrt(each.count) if name in _OF_NORM else 1.0 for each in known]
    sizes = sorted(each.root_mean_square * by for each, by in zip(known, scale, strict=True))
    # Adadelta's ε stands inside the root, beside squares.
    sizes = [each * each for each in sizes] if name in _INSIDE_ROOT else sizes
    quiet = any(each.zero for each in known)
    return distribution_of_values(sizes, len(sizes), sum(each == 0 for each in sizes), negative=False), quiet
