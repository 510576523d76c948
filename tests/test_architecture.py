"""Who may know whom: the arrows of docs/architecture.md, held over every file of the package."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "wellposed"

EVERY_ROOM = {
    "findings", "record", "rules", "diagnosis", "report", "capture", "trial", "chain", "shadow", "interpreter",
    "integrations", "jax", "rewrites", "settings", "signals", "_native",
}  # fmt: skip

KNOWS = {
    "findings": set[str](),
    "record": set[str](),
    "settings": set[str](),
    "signals": set[str](),
    "rewrites": set[str](),
    "rules": {"findings", "record", "signals", "chain", "rewrites"},
    "diagnosis": {"findings", "record"},
    "report": {"findings", "record", "diagnosis", "shadow", "rewrites"},
    "capture": {"record", "signals", "shadow", "_native"},
    "chain": {"_native"},
    "shadow": {"_native", "findings", "record", "rewrites"},
    "interpreter": {"_native", "findings", "record"},
    "trial": EVERY_ROOM - {"report"},
    "integrations": EVERY_ROOM,
    "jax": {"integrations"},
    "cli": EVERY_ROOM,
    "__init__": EVERY_ROOM,
    "__main__": {"cli"},
    "torch": {"integrations"},
}
"""What each room may import of the others; the command line knows everybody and nobody knows it."""

_WITH_TORCH = {"capture", "trial", "shadow", "integrations"}
LIBRARIES = {
    "torch": _WITH_TORCH | {"chain"},
    "numpy": _WITH_TORCH | {"chain"},
    "jax": {"chain", "integrations"},
    "dask": {"chain"},
    "scipy": {"chain"},
    "jinja2": {"report"},
    "rich": {"report", "cli"},
}
"""The rooms that may import what is heavy."""

IMPURE = {"os", "pathlib", "io", "time", "datetime", "random", "subprocess", "socket", "tempfile", "shutil", "sqlite3"}
"""What a rule or a signal has no business with: they are pure functions."""

FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(source: str, module: str, *, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported at run time, wherever it stands; type-checking blocks excepted."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            waiting.extend(node.orelse)
            continue
        waiting.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, is_package)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parents = module.split(".") if is_package else module.split(".")[:-1]
    return ".".join([*parents[: len(parents) - node.level + 1], *filter(None, [node.module])])


def violation(room: str, name: str) -> str | None:
    """What is wrong with `room` importing `name`; None where nothing is."""
    top, *rest = name.split(".")
    if top in LIBRARIES and room not in LIBRARIES[top]:
        return f"{top} belongs in {', '.join(sorted(LIBRARIES[top]))}"
    if room in ("rules", "signals") and top in IMPURE:
        return f"{room} are pure functions, without {top}"
    known = rest[0] if top == "wellposed" and rest else None
    if known in KNOWS.keys() | EVERY_ROOM and known != room and known not in KNOWS[room]:
        return f"{room} may know {', '.join(sorted(KNOWS[room])) or 'nobody'}"
    return None


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_arrows_point_the_right_way(file: Path) -> None:
    room = room_of(file)
    assert room in KNOWS, f"draw the room {room} in docs/architecture.md and in KNOWS"
    name = ".".join(("wellposed", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    found = imports(file.read_text("utf-8"), name, is_package=file.name == "__init__.py")
    wrong = [f"line {line}: {what}: {why}" for line, what in found if (why := violation(room, what))]
    assert not wrong


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("record", "from wellposed.findings import Finding"),
        ("findings", "import wellposed.record"),
        ("findings", "from wellposed import record"),
        ("rules", "import torch.nn.functional as F"),
        ("rules", "def check(record):\n    import numpy"),
        ("rules", "from pathlib import Path"),
        ("rules", "from wellposed.report.text import human"),
        ("diagnosis", "from ..capture import script"),
        ("report", "from wellposed.cli.main import main"),
        ("signals", "from wellposed.record import Record"),
        ("signals", "import time"),
        ("diagnosis", "from wellposed.signals import Panel"),
        ("capture", "if TYPE_CHECKING:\n    pass\nelse:\n    from wellposed.cli import main"),
        ("cli", "import torch"),
        ("__init__", "from .cli import main"),
    ],
)
def test_the_guard_can_fail(room: str, source: str) -> None:
    module = "wellposed" if room == "__init__" else f"wellposed.{room}.some_file"
    assert any(violation(room, name) for _, name in imports(source, module, is_package=room == "__init__"))


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("capture", "def install():\n    import torch\n    from wellposed.record import RecordWriter"),
        ("rules", "if TYPE_CHECKING:\n    import torch\nimport math\nfrom wellposed.rules.numerics import limits"),
        ("report", "from ..diagnosis import Diagnosis\nfrom . import text\nfrom .text import human"),
        ("cli", "from wellposed.capture.script import run_script"),
    ],
)
def test_the_guard_lets_pass(room: str, source: str) -> None:
    found = list(imports(source, f"wellposed.{room}.some_file"))
    assert found and not any(violation(room, name) for _, name in found)


# --- after real use -------------------------------------------------------------------------------------------


def _loaded_by(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{program}\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_importing_the_package_is_cheap() -> None:
    loaded = _loaded_by("import wellposed")
    assert not loaded & {"torch", "numpy", "jax", "rich", "jinja2", "sqlite3", "wellposed.capture", "wellposed._native"}
    assert len(loaded - _loaded_by("pass")) < 20


def test_products_load_only_the_library_of_their_operands() -> None:
    pytest.importorskip("numpy")
    loaded = _loaded_by("import numpy, wellposed\nwellposed.multi_dot([numpy.ones((3, 3))] * 4)")
    assert "wellposed.chain.libraries.numpy" in loaded
    assert not loaded & {"torch", "jax", "dask", "scipy", "cupy"}


def test_the_command_line_answers_without_torch() -> None:
    loaded = _loaded_by("from wellposed.cli import main\nmain(['--help'])\nmain(['explain'])")
    assert "wellposed.cli.run" in loaded
    assert not loaded & {"torch", "numpy", "jinja2"}
