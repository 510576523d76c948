"""The optimizer of a run and where its learning rate is set; or the line that makes the update by hand."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from wellposed.findings import Location
from wellposed.record import Event, Operation, Record, Site
from wellposed.rules.sources import assignments, line_that_sets, names_in, parsed
from wellposed.rules.tracing import location

ADAPTIVE = ("adam", "rmsprop", "adagrad", "adadelta", "adamax", "lion", "lamb", "adafactor", "rprop")
"""Optimizers whose step does not scale with the gradient."""
_UPDATES = ("sub", "add", "_foreach_add", "_foreach_sub", "lerp", "addcdiv", "copy")


@dataclass(frozen=True, slots=True)
class Optimizer:
    """What is known of how the weights are updated."""

    name: str
    """Class name; empty for a hand-written update."""
    rate: float | None
    momentum: float
    where: Location
    """Where the learning rate is set, as far as the text of the program tells."""

    @property
    def adaptive(self) -> bool:
        return any(part in self.name.lower() for part in ADAPTIVE)

    @property
    def edge(self) -> float | None:
        """Curvature times learning rate from which on the step overshoots and grows: 2 for gradient descent, 2 (1 + β)
        with momentum β (Cohen et al. 2021, arXiv 2103.00065); None for adaptive optimizers, whose curvature is that of
        the preconditioned loss."""
        return None if self.adaptive else 2.0 * (1.0 + self.momentum)


def optimizer_of(record: Record) -> Optimizer | None:
    """The first optimizer that was made, or the update by hand; None where neither was seen."""
    event = next(iter(record.events("optimizer")), None)
    if event is not None:
        return _from_event(record, event)
    update = update_by_hand(record)
    if update is None:
        return None
    return Optimizer("", _rate_by_hand(update), 0.0, _where_by_hand(record, update))


def update_by_hand(record: Record) -> Operation | None:
    """The operation that writes to a parameter outside any optimizer, at the first step that has one."""
    for step in record.gradient_steps()[:3]:
        for operation in record.operations(*_UPDATES, step=step):
            written = operation.inputs[0] if operation.inputs else None
            in_place = operation.operator.split(".")[1].endswith("_")
            if written is not None and written.label and in_place and operation.phase == "optimizer":
                return operation
    return None


def _from_event(record: Record, event: Event) -> Optimizer:
    details = event.details
    rate, momentum = details.get("lr"), details.get("momentum")
    where = line_that_sets(record, event.site, "lr", 1) or Location(phase="optimizer")
    return Optimizer(
        name=str(details.get("class", "")),
        rate=rate if isinstance(rate, float) else None,
        momentum=momentum if isinstance(momentum, float) else 0.0,
        where=Location(where.file, where.line, where.function, phase="optimizer"),
    )


def _rate_by_hand(update: Operation) -> float | None:
    alpha = update.arguments.get("alpha")
    return abs(float(alpha)) if isinstance(alpha, (int, float)) and alpha not in (1, -1) else None


def _where_by_hand(record: Record, update: Operation) -> Location:
    return where_of_rate(record, update.site) or location(update)


def where_of_rate(record: Record, site: Site | None) -> Location | None:
    """The line that gives the learning rate its value: of the names on the line of an update by hand the one that
    stands for a number and reads like a rate."""
    tree = parsed(record.source(site.file) or "") if site is not None else None
    if site is None or tree is None:
        return None
    on_line = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
        and node.lineno <= site.line <= (node.end_lineno or node.lineno)
        and not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.With, ast.If))
        for name in names_in(node)
    }
    for name in sorted(on_line):
        if any(part in name.lower() for part in ("lr", "rate", "eta", "alpha", "step_size")):
            found = [line for line, value in assignments(tree, name) if isinstance(value, ast.Constant)]
            if len(found) == 1:
                return Location(site.file, found[0], None, phase="optimizer")
    return None
