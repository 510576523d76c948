"""Rules speak of programs that use NumPy alone: what is wrong, and on which line; and say nothing of what is sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.rules.running import run_program
from wellposed.diagnosis.numpy_words import _FORMS, _OF_PYTORCH

SINKHORN = """
    import numpy as np
    rng = np.random.default_rng(3)
    cost = ((rng.normal(0, 1, (30, 1, 2)) - rng.normal(2, 1, (1, 30, 2))) ** 2).sum(-1)
    K = np.exp(-cost / {regularisation})
    u, v = np.ones(30), np.ones(30)
    for _ in range(100):
        u = (1 / 30) / (K @ v)
        v = (1 / 30) / (K.T @ u)
    print((u[:, None] * K * v).sum())
"""
LIKELIHOOD = """
    import numpy as np
    rng = np.random.default_rng(0)
    p = rng.uniform(0.1, 0.9, {count})
    total = np.float64(1.0)
    for each in p:
        total = total * each
    print(np.log(total))
"""
DESCENT = """
    import numpy as np
    rng = np.random.default_rng(0)
    x = rng.uniform(2, 40, size=40)
    y = 5 + 0.9 * x
    w, b = 0.0, 0.0
    lr = {rate}
    for epoch in range(60):
        for xi, yi in zip(x, y):
            error = w * xi + b - yi
            w -= lr * 2 * error * xi
            b -= lr * 2 * error
    print(w, b)
"""
KALMAN = """
    import numpy as np
    rng = np.random.default_rng(0)
    n, m = 400, 3
    P, R = np.eye(n) * 0.5, 0.1 * np.eye(m)
    for step in range(4):
        H = rng.normal(size=(m, n)) / 20
        HP = H @ P
        K = np.linalg.solve(HP @ H.T + R, HP).T
        P = {update}
"""


def test_an_exponential_that_underflows_before_a_division(tmp_path: Path) -> None:
    ran = run_program(SINKHORN.format(regularisation=0.004), tmp_path)
    assert ran.diagnosis.verdict == "unstable-function", ran.told()
    assert ran.line_of("K = np.exp") in ran.root_lines, ran.told()
    assert not run_program(SINKHORN.format(regularisation=0.5), tmp_path).roots


def test_a_product_of_probabilities_that_underflows(tmp_path: Path) -> None:
    ran = run_program(LIKELIHOOD.format(count=3000), tmp_path)
    assert ran.diagnosis.verdict == "unstable-function", ran.told()
    assert ran.line_of("np.log") in ran.root_lines or ran.line_of("total * each") in ran.root_lines, ran.told()
    assert not run_program(LIKELIHOOD.format(count=300), tmp_path).roots


def test_a_rate_that_makes_updates_overshoot(tmp_path: Path) -> None:
    ran = run_program(DESCENT.format(rate=0.01), tmp_path)
    assert ran.root_rules == ["overshooting-updates"], ran.told()
    assert ran.root_lines == [ran.line_of("lr = 0.01")]


@pytest.mark.parametrize("rate", [1e-4, 5e-4])
def test_a_rate_below_the_edge_is_silent(tmp_path: Path, rate: float) -> None:
    assert not run_program(DESCENT.format(rate=rate), tmp_path).roots


def test_growth_without_turning_is_no_overshooting(tmp_path: Path) -> None:
    """A population, a compound rate: what grows as it should."""
    ran = run_program(
        """
        import numpy as np
        size, rate = np.float64(1.0), 0.5
        for year in range(60):
            size += rate * size
        print(size)
        """,
        tmp_path,
    )
    assert not ran.diagnosis.findings, ran.told()


def test_an_identity_and_a_thin_product(tmp_path: Path) -> None:
    ran = run_program(KALMAN.format(update="(np.eye(n) - K @ H) @ P"), tmp_path)
    assert ran.rules == ["structured-operand-ignored"], ran.told()
    assert ran.diagnosis.findings[0].where.line == ran.line_of("np.eye(n) - K")
    assert not run_program(KALMAN.format(update="P - K @ HP"), tmp_path).rules


@pytest.mark.parametrize(
    "call",
    [
        'np.einsum("ijk,ip,jq->pqk", T, C, C, optimize=True)',
        'np.einsum("pjk,jq->pqk", np.einsum("ijk,ip->pjk", T, C), C)',
        'np.einsum("ij,ij,ij->i", C, C, C)',
    ],
)
def test_an_einsum_that_costs_what_it_must_is_silent(tmp_path: Path, call: str) -> None:
    ran = run_program(
        f"""
        import numpy as np
        rng = np.random.default_rng(0)
        T, C = rng.normal(size=(40, 40, 30)), rng.normal(size=(40, 40))
        for step in range(3):
            out = {call}
        """,
        tmp_path,
    )
    assert not ran.diagnosis.findings, ran.told()


@pytest.mark.parametrize(
    "text",
    [
        "np.nanmean(np.array([1.0, np.nan, 3.0]))",
        "np.where(x > 0, 1 / np.where(x > 0, x, 1), 0).sum()",
        "np.nan_to_num(np.log(np.array([0.0, 1.0])))",
        "np.exp(np.array([-1e4, 0.0])).sum()",
        "np.max(np.append(-np.inf, x))",
    ],
)
def test_ordinary_use_of_nan_and_infinity_is_silent(tmp_path: Path, text: str) -> None:
    ran = run_program(f"import numpy as np\nx = np.array([0.0, 1.0, 4.0])\nprint({text})\n", tmp_path)
    assert not ran.roots, ran.told()


CORPUS = Path(__file__).parent.parent / "capture" / "numpy_corpus"


@pytest.mark.parametrize(
    "name", ["kmeans", "logistic_regression", "pca", "kalman", "neural_network", "fourier", "nbody"]
)
def test_programs_that_work_are_healthy(tmp_path: Path, name: str) -> None:
    ran = run_program((CORPUS / f"{name}.py.txt").read_text(), tmp_path)
    assert ran.error is None
    assert ran.diagnosis.verdict == "healthy", ran.told()
    assert not [each for each in ran.diagnosis.findings if each.severity != "note"], ran.told()


def test_fixes_speak_of_numpy(tmp_path: Path) -> None:
    ran = run_program(SINKHORN.format(regularisation=0.004), tmp_path)
    fixes = [fix.how for finding in ran.diagnosis.findings for fix in finding.fixes]
    assert fixes
    assert not [fix for fix in fixes if "torch" in fix or ", dim" in fix]


def test_every_form_is_one_of_numpy() -> None:
    for form in _FORMS.values():
        compile(form, "form", "exec")
        assert not _OF_PYTORCH.search(form), form
    x = np.array([-3.0, 0.5, 40.0])
    assert np.allclose(-np.logaddexp(0, -x), np.log(1 / (1 + np.exp(-x))))
