"""A matrix that is mostly zeros by construction, multiplied as if it were full.

## What it sees
A product one factor of which was made by `torch.diag`, `diag_embed` or `eye`, so that all but its diagonal is zero;
or by subtracting a thin product from the identity, `(I - K @ H) @ P`, where `P - K @ (H @ P)` needs no square matrix.
It is a root finding where the waste is a tenth of the run's time or more, and advice below.

## Why it matters
Multiplying by a diagonal matrix is a scaling of rows: n·m multiplications. As a full product it takes n²·m, and the
matrix itself n² numbers of memory instead of n.

## A program that shows it
```python
import torch

torch.manual_seed(0)
gain = (torch.rand(700) + 0.5).requires_grad_()
optimizer = torch.optim.SGD([gain], lr=1e-3)
x = torch.randn(700, 300)
for step in range(6):
    loss = (torch.diag(gain) @ x - x).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Scale the rows (or the columns), and never make the matrix.
```python
import torch

torch.manual_seed(0)
gain = (torch.rand(700) + 0.5).requires_grad_()
optimizer = torch.optim.SGD([gain], lr=1e-3)
x = torch.randn(700, 300)
for step in range(6):
    loss = (gain[:, None] * x - x).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operand, Operation, Record
from wellposed.rules.numerics.wording import number
from wellposed.rules.order.products import Product, product_of, products
from wellposed.rules.order.worth import LEAST_MULTIPLICATIONS, measured_step, waste
from wellposed.rules.tracing import location, origin

RULE = Rule(
    name="structured-operand-ignored",
    code="O105",
    cause="product-order",
    summary="a diagonal or identity matrix is multiplied as if it were full",
    specificity=2,
)

_DIAGONAL = ("diag_embed", "diag", "diagflat")
THIN = 0.25
"""Inner dimension of a product over its size, up to which it is cheaper to keep its factors apart: 2·n·k·m against
n·k·n + n·n·m multiplications."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A product, what it is to be written as, and how many multiplications that takes."""

    product: Product
    others: tuple[Operation, ...]
    cost: int
    best: int
    what: str
    instead: str


def check(record: Record) -> Iterator[Finding]:
    step = measured_step(record)
    if step is None:
        return
    places: dict[object, list[Ignored]] = defaultdict(list)
    for product in products(record, step):
        found = _ignored(record, product)
        if found is not None:
            site = product.operation.site
            places[site.id if site is not None else None, found.what].append(found)
    for each in places.values():
        if sum(one.cost - one.best for one in each) >= LEAST_MULTIPLICATIONS:
            yield from _finding(record, step, each)


def _ignored(record: Record, product: Product) -> Ignored | None:
    for operand, other, on_left in ((product.left, product.right, True), (product.right, product.left, False)):
        made = origin(record, operand)
        if made is None or len(operand.shape) < 2 or operand.shape[-1] != operand.shape[-2]:
            continue
        rest = product.multiplications // operand.shape[-1]
        if made.base in _DIAGONAL and _is_square(made, operand):
            instead = "d[:, None] * x" if on_left else "x * d"
            return Ignored(product, (made,), product.multiplications, rest, "a diagonal matrix", instead)
        if made.base == "eye":
            return Ignored(product, (), product.multiplications, 0, "the identity", "x")
        thin = _identity_and_thin(record, made)
        if thin is not None and len(other.shape) == 2:
            columns = other.shape[-1] if on_left else other.shape[-2]
            kept = 2 * thin.rows * thin.inner * columns
            if kept < product.multiplications + thin.multiplications:
                instead = "P - K @ (H @ P)" if on_left else "P - (P @ K) @ H"
                cost = product.multiplications + thin.multiplications
                return Ignored(product, (thin.operation,), cost, kept, "the identity and a thin product", instead)
    return None


def _is_square(made: Operation, operand: Operand) -> bool:
    """Whether the operation puts a vector on the main diagonal, and does not take one from a matrix."""
    vector = made.inputs[0].shape if made.inputs else ()
    offset = made.arguments.get("offset", made.arguments.get("diagonal", 0))
    return bool(vector) and vector[-1] == operand.shape[-1] and offset == 0 and len(vector) == len(operand.shape) - 1


def _identity_and_thin(record: Record, made: Operation) -> Product | None:
    """Of ``eye - K @ H`` (or +) the product, where its inner dimension is small."""
    if made.base not in ("add", "sub", "rsub") or len(made.inputs) != 2:
        return None
    parts = [origin(record, each) for each in made.inputs]
    if not any(part is not None and part.base == "eye" for part in parts):
        return None
    for part in parts:
        product = product_of(part) if part is not None else None
        if product is not None and product.inner <= THIN * product.rows and product.batch == 1:
            return product
    return None


def _finding(record: Record, step: int, found: list[Ignored]) -> Iterator[Finding]:
    cost, best = sum(each.cost for each in found), sum(each.best for each in found)
    first = max(found, key=lambda each: each.cost)
    operations = [operation for each in found for operation in (each.product.operation, *each.others)]
    lost = waste(record, step, operations, 1.0 - best / cost)
    times = f"{number(cost / best)} times as many" if best else "all of them for nothing"
    if not lost.noticeable:
        return
    yield RULE.finding(
        location(first.product.operation),
        f"This product multiplies {first.what} as if it were full: {cost:,} multiplications a step, {times} as "
        f"`{first.instead}` takes ({best:,}): about {lost.share:.0%} of the time.",
        severity=lost.severity,
        role=lost.role,
        step=step,
        evidence=[
            Evidence("multiplications as written", cost, "a step"),
            Evidence("multiplications that are needed", best, "a step"),
            *lost.evidence(),
            Evidence("shapes", first.product.shapes),
            Evidence("products at this line", len(found)),
        ],
        fixes=[Fix("use what is known of the matrix", first.instead)],
        operations=[first.product.operation.id],
    )
