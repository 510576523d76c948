"""Gradient of an eigen- or singular value decomposition with repeated values.

## What it sees
The backward pass of `eigh`, `eig` or `svd` (vectors used, not values alone) for a matrix with repeated eigenvalues or
singular values, or a singular value of zero.

## Why it matters
The vectors of a repeated value may turn freely in their plane; their derivative divides by the difference of the
values and is infinite. Identity matrices, symmetric data, matrices of low rank and freshly initialised orthogonal
weights have repeated values.

## A program that shows it
```python
import torch

def compute(matrix):
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values).abs().sum()

safe = torch.tensor([[2.0, 1.0], [1.0, 5.0]])
matrix = torch.eye(2, requires_grad=True)
loss = compute(matrix)
loss.backward()
```

## What to do instead
Use what needs the values alone (`eigvalsh`, `svdvals`), a function of the whole matrix (`inv`, `matrix_exp`, `qr`), or
separate the values by a small diagonal perturbation.
```python
import torch

def compute(matrix):
    apart = 1e-4 * torch.diag(torch.arange(1.0, matrix.shape[0] + 1, dtype=matrix.dtype))
    values, vectors = torch.linalg.eigh(matrix + apart)
    return (vectors * values).abs().sum()

safe = torch.tensor([[2.0, 1.0], [1.0, 5.0]])
matrix = torch.eye(2, requires_grad=True)
loss = compute(matrix)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.formulas import subject
from wellposed.rules.numerics.wording import birth_finding, made

# A perturbation that separates equal values changes the others by as much.
CHANGES_MEANING = True

RULE = Rule(
    name="repeated-singular-values",
    code="N247",
    cause="unstable-function",
    summary="the gradient of a decomposition divides by the difference of equal values",
    specificity=1,
)

_DECOMPOSITIONS = {
    "_linalg_eigh": "eigenvalues",
    "linalg_eig": "eigenvalues",
    "_linalg_svd": "singular values",
    "_linalg_det": "singular values",
    "linalg_lstsq": "singular values",
    "linalg_pinv": "singular values",
    "linalg_qr": "columns",
}


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        decomposition = subject(record, birth)
        values = _DECOMPOSITIONS.get(decomposition.base)
        if values is None or birth.operation.phase != "backward":
            continue
        name = decomposition.base.removeprefix("_").replace("linalg_", "linalg.")
        found = decomposition.outputs[1 if "svd" in name else 0].statistics if len(decomposition.outputs) > 1 else None
        yield birth_finding(
            RULE,
            birth,
            f"The gradient of `{name}` divides by the difference of two equal {values}, or by one that is 0: "
            f"{made(birth)} results.",
            evidence=[
                Evidence(f"smallest of the {values}", found.minimum),
                Evidence(f"largest of the {values}", found.maximum),
            ]
            if found is not None
            else [],
            fixes=[
                Fix("use the values alone", "torch.linalg.svdvals(a), torch.linalg.eigvalsh(a)"),
                Fix("separate the values", "a + eps * torch.diag(torch.arange(1.0, n + 1))"),
            ],
        )
