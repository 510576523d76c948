"""A matrix that is inverted only to be multiplied with.

## What it sees
The result of `torch.linalg.inv` (or `.inverse()`) as a factor of a matrix product, and used for nothing else. It is a
root finding where that takes a tenth of the run's time or more, and advice below.

## Why it matters
Solving `A x = b` takes a third of the multiplications of inverting A and multiplying by b (n³/3 + n²·m against n³ +
n²·m, Golub & Van Loan, Matrix Computations, 3.2 and 3.4), and is more accurate: the error of the inverse grows with the
condition number before the product can be small (Higham, Accuracy and Stability, 14.1).

## A program that shows it
```python
import torch

torch.manual_seed(0)
A = torch.randn(300, 300) / 17 + 3 * torch.eye(300)
w = torch.randn(300, 4, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=1e-2)
for step in range(6):
    loss = (torch.linalg.inv(A) @ w).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Solve the system; factorise once where the matrix is used again (`torch.linalg.lu_factor`, `cholesky`).
```python
import torch

torch.manual_seed(0)
A = torch.randn(300, 300) / 17 + 3 * torch.eye(300)
w = torch.randn(300, 4, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=1e-2)
for step in range(6):
    loss = torch.linalg.solve(A, w).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.order.products import Product, product_of
from wellposed.rules.order.worth import LEAST_MULTIPLICATIONS, measured_step, waste
from wellposed.rules.tracing import location

RULE = Rule(
    name="explicit-inverse",
    code="O104",
    cause="product-order",
    summary="a matrix is inverted only to be multiplied with, where a system could be solved",
    specificity=1,
)

INVERSES = ("linalg_inv_ex", "linalg_inv", "inverse", "cholesky_inverse")


def check(record: Record) -> Iterator[Finding]:
    step = measured_step(record)
    if step is None:
        return
    told: set[tuple[str | None, int | None]] = set()
    for operation in record.operations(*INVERSES, step=step, phase="forward"):
        product = _only_multiplied(record, operation)
        if product is None or _saved(operation, product) < LEAST_MULTIPLICATIONS:
            continue
        for finding in _finding(record, step, operation, product):
            if (finding.where.file, finding.where.line) not in told:
                told.add((finding.where.file, finding.where.line))
                yield finding


def _only_multiplied(record: Record, operation: Operation) -> Product | None:
    """The product that uses the inverse; None where something else does too."""
    uses = [
        each
        for each in record.consumers(operation.id)
        if not each.is_view and each.phase == "forward" and each.base not in ("detach", "_linalg_check_errors")
    ]
    return product_of(uses[0]) if len(uses) == 1 else None


def _size(operation: Operation) -> int:
    return operation.inputs[0].shape[-1] if operation.inputs and operation.inputs[0].shape else 0


def _saved(operation: Operation, product: Product) -> int:
    """n³ for the inverse against n³/3 for the factorisation; the substitutions cost what the product does."""
    return 2 * product.batch * _size(operation) ** 3 // 3


def _finding(record: Record, step: int, operation: Operation, product: Product) -> Iterator[Finding]:
    n = _size(operation)
    cost = product.batch * n**3 + product.multiplications
    saved = _saved(operation, product)
    lost = waste(record, step, [operation, product.operation], saved / cost)
    on_left = product.left.producer == operation.id
    instead = "torch.linalg.solve(A, b)  # for inv(A) @ b" if on_left else "torch.linalg.solve(A, b, left=False)"
    if not lost.noticeable:
        return
    yield RULE.finding(
        location(product.operation),
        f"A {n}x{n} matrix is inverted only to be multiplied with: solving the system takes "
        f"{saved / cost:.0%} fewer multiplications ({cost - saved:,} for {cost:,}) and loses fewer digits; about "
        f"{lost.share:.0%} of the time.",
        severity=lost.severity,
        role=lost.role,
        step=step,
        evidence=[
            Evidence("multiplications as written", cost, "a step"),
            Evidence("multiplications of a solve", cost - saved, "a step"),
            *lost.evidence(),
        ],
        fixes=[
            Fix("solve instead", instead),
            Fix("factorise once where the matrix is used again", "lu, pivots = torch.linalg.lu_factor(A)"),
        ],
        operations=[product.operation.id],
    )
