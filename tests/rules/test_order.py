"""Products in a wasteful order, repeated, or of matrices whose structure is ignored: what is told, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.running import Ran, run_program
from wellposed.findings import Finding, find_rule
from wellposed.rules.order import worth

LOOP = """
    import torch
    from torch import nn
    {setup}
    parameters = [each for each in list(globals().values()) if isinstance(each, torch.Tensor) and each.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=1e-2)
    for step in range(6):
        loss = ({expression}).pow(2).mean()  # here
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""


@pytest.fixture(autouse=True)
def whatever_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told depends on measured time; what is found does not."""
    monkeypatch.setattr(worth, "NOTICEABLE", 0.0)


def found(ran: Ran, rule: str) -> list[Finding]:
    """What one rule says of the record, whatever the others say."""
    return list(find_rule(rule).check(ran.record))


def run(expression: str, tmp_path: Path, **shapes: str) -> Ran:
    """A training loop whose loss is the mean square of the expression; names with a ``g`` behind the shape learn."""
    setup = []
    for name, shape in shapes.items():
        sizes, learns = shape.rstrip("g"), shape.endswith("g")
        drawn = f"torch.randn({sizes}) / 20"
        setup.append(f"{name} = ({drawn}).requires_grad_()" if learns else f"{name} = {drawn}")
    return run_program(LOOP.format(expression=expression, setup="\n    ".join(setup)), tmp_path)


WASTEFUL = {
    "low rank formed first": ("x @ (A @ B)", "x @ A @ B", {"x": "4, 500", "A": "500, 8 g", "B": "8, 500 g"}),
    "matrices before the vector": ("A @ B @ v", "A @ (B @ v)", {"A": "400, 400 g", "B": "400, 400", "v": "400"}),
    "normal equations": ("X.T @ X @ w", "X.T @ (X @ w)", {"X": "500, 300", "w": "300, 1 g"}),
    "by function": (
        "torch.matmul(torch.matmul(A, B), v)", "A @ (B @ v)", {"A": "400, 400 g", "B": "400, 400", "v": "400, 1"}
    ),
    "batches": ("A @ B @ C", "A @ (B @ C)", {"A": "8, 90, 90", "B": "8, 90, 90", "C": "8, 90, 2 g"}),
    "linear attention": ("q @ k.mT @ v", "q @ (k.mT @ v)", {"q": "4, 300, 16 g", "k": "4, 300, 16", "v": "4, 300, 16"}),
}  # fmt: skip


@pytest.mark.parametrize("name", WASTEFUL)
def test_the_better_order_is_told_in_the_users_own_names(name: str, tmp_path: Path) -> None:
    expression, instead, shapes = WASTEFUL[name]
    ran = run(expression, tmp_path, **shapes)
    (finding,) = found(ran, "product-order")
    assert finding.where.line == ran.line_of("# here"), ran.told()
    assert finding.fixes[0].how == instead, ran.told()


def test_multiplications_are_those_of_forward_and_backward(tmp_path: Path) -> None:
    ran = run("x @ (A @ B)", tmp_path, x="4, 500", A="500, 8 g", B="8, 500 g")
    (finding,) = found(ran, "product-order")
    values = {each.name: each.value for each in finding.evidence}
    # A @ B three times over, x @ (…) forward and for its right factor; x @ A likewise, then one with both factors.
    assert values["multiplications as written"] == 3 * 500 * 8 * 500 + 2 * 4 * 500 * 500
    assert values["multiplications in the best order"] == 2 * 4 * 500 * 8 + 3 * 4 * 8 * 500


def test_a_transposed_product_is_taken_apart(tmp_path: Path) -> None:
    ran = run("(A @ B).T @ v", tmp_path, A="500, 8 g", B="8, 500 g", v="500, 1")
    (finding,) = found(ran, "product-order")
    assert finding.fixes[0].how == "A0.T @ (A1.T @ A2)", ran.told()


SOUND = {
    "best as written": ("x @ A @ B", {"x": "4, 500", "A": "500, 8 g", "B": "8, 500 g"}),
    "a function between": ("torch.relu(A @ B) @ v", {"A": "400, 400", "B": "400, 400", "v": "400 g"}),
    "softmax attention": (
        "torch.softmax(q @ k.mT, -1) @ v",
        {"q": "4, 300, 16 g", "k": "4, 300, 16", "v": "4, 300, 16"},
    ),
    "small": ("A @ B @ v", {"A": "20, 20", "B": "20, 20", "v": "20 g"}),
    "square": ("A @ B @ C", {"A": "300, 300", "B": "300, 300", "C": "300, 300 g"}),
    "used twice": ("(lambda AB: AB @ v + AB.sum(1))(A @ B)", {"A": "400, 400 g", "B": "400, 400", "v": "400"}),
}


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_said_of_products_that_are_well_ordered(name: str, tmp_path: Path) -> None:
    expression, shapes = SOUND[name]
    ran = run(expression, tmp_path, **shapes)
    assert not found(ran, "product-order"), ran.told()


@pytest.mark.parametrize(
    ("expression", "shapes", "instead"),
    [
        ("torch.diag(d) @ x", {"d": "600 g", "x": "600, 200"}, "d[:, None] * x"),
        ("x @ torch.diag(d)", {"d": "600 g", "x": "200, 600"}, "x * d"),
        ("torch.eye(400) @ x", {"x": "400, 100 g"}, "x"),
        ("(torch.eye(500) - K @ H) @ P", {"K": "500, 3 g", "H": "3, 500", "P": "500, 500"}, "P - K @ (H @ P)"),
    ],
    ids=["rows", "columns", "identity", "identity and thin"],
)
def test_structure_that_is_ignored(expression: str, shapes: dict[str, str], instead: str, tmp_path: Path) -> None:
    ran = run(expression, tmp_path, **shapes)
    (finding,) = found(ran, "structured-operand-ignored")
    assert finding.where.line == ran.line_of("# here") and finding.fixes[0].how == instead, ran.told()


@pytest.mark.parametrize(
    ("expression", "shapes"),
    [
        ("torch.diag(M) @ M", {"M": "600, 600 g"}),
        ("(torch.eye(300) - A @ B) @ P", {"A": "300, 290 g", "B": "290, 300", "P": "300, 300"}),
        ("torch.diag(d) + M @ M", {"d": "300 g", "M": "300, 300"}),
    ],
    ids=["the diagonal is taken out", "not thin", "added"],
)
def test_structure_that_is_none(expression: str, shapes: dict[str, str], tmp_path: Path) -> None:
    ran = run(expression, tmp_path, **shapes)
    assert not found(ran, "structured-operand-ignored"), ran.told()


def test_a_product_that_is_repeated_and_one_that_is_not(tmp_path: Path) -> None:
    shapes = {"A": "300, 300 g", "B": "300, 300", "x": "300, 300", "y": "300, 300"}
    ran = run("(A @ B) @ x + torch.relu((A @ B) @ y)", tmp_path, **shapes)
    assert found(ran, "repeated-product"), ran.told()
    ran = run("(A @ B) @ x + torch.relu((A @ x) @ y)", tmp_path, **shapes)
    assert not found(ran, "repeated-product"), ran.told()


def test_a_product_that_never_changes_and_one_that_learns(tmp_path: Path) -> None:
    ran = run("torch.relu(A @ B) @ w", tmp_path, A="300, 300", B="300, 300", w="300, 2 g")
    assert found(ran, "invariant-product-in-loop"), ran.told()
    ran = run("torch.relu(A @ B) @ w", tmp_path, A="300, 300 g", B="300, 300", w="300, 2 g")
    assert not found(ran, "invariant-product-in-loop"), ran.told()


def test_an_inverse_that_is_only_multiplied_and_one_that_is_used(tmp_path: Path) -> None:
    shapes = {"A": "300, 300", "w": "300, 2 g"}
    ran = run("torch.linalg.inv(A + torch.eye(300)) @ w", tmp_path, **shapes)
    assert found(ran, "explicit-inverse"), ran.told()
    ran = run("(lambda i: i @ w + i.diagonal()[:, None])(torch.linalg.inv(A + torch.eye(300)))", tmp_path, **shapes)
    assert not found(ran, "explicit-inverse"), ran.told()


def test_waste_follows_from_no_fault_and_no_fault_from_it(tmp_path: Path) -> None:
    ran = run_program(
        """
        import torch

        A, B = torch.randn(700, 700), torch.randn(700, 700)
        v = torch.full((700,), 1e30, requires_grad=True)
        optimizer = torch.optim.SGD([v], lr=0.1)
        for step in range(6):
            y = (A + step) @ B @ v
            loss = torch.log(y - y).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        """,
        tmp_path,
    )
    assert ran.diagnosis.verdict != "product-order" and ran.roots[0].severity == "error", ran.told()
    (waste,) = [each for each in ran.diagnosis.findings if each.rule == "product-order"]
    assert waste.role in ("root", "advice") and not waste.caused_by, ran.told()
    assert all(waste.id not in each.caused_by for each in ran.diagnosis.findings), ran.told()
