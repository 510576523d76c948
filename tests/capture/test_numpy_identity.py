"""A NumPy program does under `wellposed run` what it does under python: byte for byte, warnings and tracebacks too."""

from __future__ import annotations

import ast
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.numpy_running import both, plainly, recorded
from wellposed import _native
from wellposed.capture.numpy_imports import imports_of
from wellposed.capture.numpy_source import compile_instrumented

CORPUS = sorted((Path(__file__).parent / "numpy_corpus").glob("*.py.txt"))


@pytest.mark.parametrize("program", CORPUS, ids=lambda path: path.name.partition(".")[0])
def test_a_program_of_the_corpus_runs_as_it_does_alone(program: Path, tmp_path: Path) -> None:
    alone, watched = both(program.read_text(encoding="utf-8"), tmp_path)
    assert watched.stdout == alone.stdout
    assert watched.stderr == alone.stderr
    assert watched.exit_code == alone.exit_code
    assert not watched.record.events("recorder-failed")


def test_the_corpus_says_something() -> None:
    assert len(CORPUS) > 15


def test_own_modules_are_imported_as_they_would_be(tmp_path: Path) -> None:
    package = tmp_path / "own"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "model.py").write_text(
        "import numpy as np\n"
        "def norm(x):\n"
        "    return np.sqrt((x * x).sum())\n"
        "print(__name__, __file__, __cached__ is None, __spec__.name, type(__loader__).__name__)\n"
    )
    (package / "broken.py").write_text("import numpy as np\nx = np.ones(3) * 2\nraise ValueError(x[0] + 1)\n")
    script = tmp_path / "program.py"
    script.write_text(
        "from own.model import norm\nprint(norm([3, 4] @ __import__('numpy').eye(2)))\nimport own.broken\n"
    )
    alone, watched = plainly(script), recorded(script)
    assert (watched.stdout, watched.stderr, watched.exit_code) == (alone.stdout, alone.stderr, alone.exit_code)
    assert "own/broken.py" in watched.stderr
    assert [each.site.file for each in watched.record.operations("sqrt") if each.site] == ["own/model.py"]
    assert not list(package.rglob("*.pyc"))


def test_a_syntax_error_in_an_own_module_is_pythons_own(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("import numpy as np\nx = np.zeros(3\n")
    script = tmp_path / "program.py"
    script.write_text("import numpy as np\nimport other\n")
    alone, watched = plainly(script), recorded(script)
    assert watched.stderr == alone.stderr
    assert "SyntaxError" in watched.stderr


def test_a_program_of_another_framework_is_not_instrumented(tmp_path: Path) -> None:
    text = "import numpy as np\nif False:\n    import jax\nx = np.ones(3) * 2\n"
    _, watched = both(text, tmp_path)
    assert not list(watched.record.operations())


def test_scipy_gets_and_gives_what_it_always_does(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    text = (
        "import numpy as np\n"
        "from scipy import linalg, optimize, sparse, special\n"
        "A = np.eye(3) * 2 + np.ones((3, 3))\n"
        "print(linalg.solve(A, np.arange(3.0)), special.logsumexp(A), special.expit(A[0]))\n"
        "print(optimize.minimize(lambda w: ((w - 3) ** 2).sum(), np.zeros(2)).x)\n"
        "S = sparse.csr_matrix(A) * 2 + sparse.eye(3)\n"
        "print((S @ np.ones(3)).tolist(), (S.T[0, 0] / 2), type(S.T).__name__)\n"
    )
    alone, watched = both(text, tmp_path)
    assert (watched.stdout, watched.stderr) == (alone.stdout, alone.stderr)
    operators = {each.operator for each in watched.record.operations()}
    assert {"scipy._linalg_solve_ex.solve", "scipy.logsumexp.logsumexp", "scipy.sigmoid.expit"} <= operators


def test_pandas_passes_through(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    text = (
        "import numpy as np, pandas as pd\n"
        "frame = pd.DataFrame({'a': [1.0, 2.0], 'b': [3, 4]})\n"
        "frame['c'] = frame['a'] * 2 + frame['b'].mean()\n"
        "print(frame[frame.a > 1].T, frame.to_numpy().sum(), np.log(frame.a).tolist())\n"
    )
    alone, watched = both(text, tmp_path)
    assert (watched.stdout, watched.stderr) == (alone.stdout, alone.stderr)


# --- expressions ------------------------------------------------------------------------------------------------

_NAMES = ("x", "y", "m", "s", "f", "i")
_LEAVES = st.sampled_from([*_NAMES, "2", "0.5", "x[1]", "m[0]", "m[:, 1]", "x[::-1]", "x[[0, 2]]", "m.T", "-1"])


def _extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "@", "<", "==", ">="]), inner).map(
            lambda each: f"({each[0]} {each[1]} {each[2]})"
        ),
        inner.map(lambda each: f"(-{each})"),
        inner.map(lambda each: f"np.exp({each})"),
        inner.map(lambda each: f"np.sum({each}, axis=0)"),
        inner.map(lambda each: f"abs({each})"),
        inner.map(lambda each: f"float(np.mean({each}))"),
        st.tuples(inner, inner).map(lambda each: f"np.where({each[0]} > 0, {each[0]}, {each[1]})"),
        st.tuples(inner, inner, inner).map(lambda each: f"({each[0]} if np.any({each[1]}) else {each[2]})"),
        inner.map(lambda each: f"[e * 2 for e in np.atleast_1d({each})]"),
    )


@given(expression=st.recursive(_LEAVES, _extend, max_leaves=12))
@settings(max_examples=150, deadline=None)
def test_any_expression_gives_the_same_bits_or_the_same_error(expression: str) -> None:
    file = "expression.py"
    text = f"import numpy as np\nresult = {expression}\nx += {expression if 'x' not in expression else '1'}\n"
    code = compile_instrumented(ast.parse(text), file, imports_of(ast.parse(text)), _native.instrument)
    assert _outcome(code) == _outcome(compile(text, file, "exec"))


def _outcome(code: Any) -> object:
    given_names: dict[str, Any] = {
        "x": np.array([1.5, -2.0, 0.25]), "y": np.array([3, 1, 2]), "m": np.arange(9.0).reshape(3, 3),
        "s": np.float32(0.3), "f": 0.1, "i": 3,
    }  # fmt: skip
    with np.errstate(all="ignore"):
        try:
            exec(code, given_names)
        except Exception as error:
            return type(error), str(error), given_names["x"].tobytes()
    return _bits(given_names["result"]), _bits(given_names["x"])


def _bits(value: Any) -> object:
    if isinstance(value, (np.ndarray, np.generic)):
        return type(value), value.dtype, value.shape, value.tobytes()
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return [_bits(each) for each in value] if isinstance(value, list) else (type(value), value)
