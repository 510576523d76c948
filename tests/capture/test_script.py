"""The launcher against python itself: the same output, the same errors, the same end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.capture.little_scripts import SCRIPTS

LAUNCHER = Path(__file__).with_name("launch.py")
SOURCES = Path(__file__).parents[2] / "src"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and fork are POSIX")


def _lay_out(folder: Path, source: str | bytes, name: str = "program.py") -> None:
    if isinstance(source, str):
        lines = source.split("\n")
        if not lines[0].strip() and len(lines) > 1:
            lines = lines[1:]
            indent = len(lines[0]) - len(lines[0].lstrip())
            lines = [line[indent:] for line in lines]
        source = "\n".join(lines).encode()
    (folder / name).write_bytes(source)
    (folder / "helper.py").write_text("VALUE = 42\n")
    (folder / "broken.py").write_text("y = 2\nfor in y:\n    pass\n")


def _ends(folder: Path, *command: str) -> tuple[str, str, int]:
    """Standard output, standard error (both without addresses) and status of python with these arguments."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        input="ada\nlovelace\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    stdout, stderr = (re.sub(r"0x[0-9a-f]+", "0x…", text) for text in (done.stdout, done.stderr))
    return stdout, stderr, done.returncode


def _assert_alike(folder: Path, *words: str, flags: tuple[str, ...] = ()) -> tuple[str, str, int]:
    expected = _ends(folder, *flags, *words)
    assert _ends(folder, *flags, str(LAUNCHER), *words) == expected
    return expected


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_behaves_as_under_python(name: str, tmp_path: Path) -> None:
    if name == "not-utf8" and sys.version_info < (3, 11):
        pytest.skip("python 3.10 counts the lines of this message otherwise")
    _lay_out(tmp_path, SCRIPTS[name])
    _assert_alike(tmp_path, "program.py", "--flag", "two words", "--", "-m", "")


@pytest.mark.parametrize(
    "name",
    ["arguments", "import-path", "globals", "exit-text", "exception", "keyboard-interrupt", "pickle-main-class",
     "multiprocessing-spawn", "sibling-import", "syntax-error", "excepthook", "atexit"],
)  # fmt: skip
def test_module_behaves_as_under_python(name: str, tmp_path: Path) -> None:
    _lay_out(tmp_path, SCRIPTS[name])
    _assert_alike(tmp_path, "-m", "program", "--flag", "-o", "x")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "__init__.py").write_text("print('package', __name__)\n")
    (folder / "part.py").write_text("from . import other\nprint(__package__, __spec__.name, other.X)\n")
    (folder / "other.py").write_text("X = 1\n")
    (folder / "__main__.py").write_text("import sys\nfrom .other import X\nprint(__spec__.name, X, sys.argv)\n1 / 0\n")
    return tmp_path


@pytest.mark.parametrize("words", [("-m", "pack"), ("-m", "pack.part"), ("-m", "pack.__main__", "--help")])
def test_package_runs_with_relative_imports(words: tuple[str, ...], package: Path) -> None:
    _assert_alike(package, *words)


@pytest.mark.parametrize("path", ["folder", "./folder/", "archive.zip"])
def test_folder_and_archive_with_main(path: str, tmp_path: Path) -> None:
    program = "import sys, inner\nprint(__spec__.name, sys.argv, sys.path[0], inner.Y)\nraise ValueError('end')\n"
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text(program)
    (tmp_path / "folder" / "inner.py").write_text("Y = 2\n")
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", program)
        archive.writestr("inner.py", "Y = 3\n")
    _assert_alike(tmp_path, path, "a", "-b")


@pytest.mark.parametrize("path", ["program.py", "./program.py", "sub/../program.py", "link.py"])
def test_ways_to_name_a_script(path: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    _lay_out(tmp_path, "import sys, helper\nprint(__file__, sys.argv, sys.path[0])\n1 / 0\n")
    target = tmp_path / "elsewhere"
    target.mkdir()
    _lay_out(target, "import sys, helper\nprint(__file__, sys.argv, sys.path[0])\n1 / 0\n")
    (tmp_path / "link.py").symlink_to(target / "program.py")
    _assert_alike(tmp_path, path)


def test_compiled_script(tmp_path: Path) -> None:
    import py_compile

    _lay_out(tmp_path, "import sys\nprint(__file__, sys.argv, type(__loader__))\n1 / 0\n")
    py_compile.compile(str(tmp_path / "program.py"), cfile=str(tmp_path / "program.pyc"))
    _assert_alike(tmp_path, "program.pyc", "x")


@pytest.mark.parametrize("flags", [("-O",), ("-W", "error"), ("-X", "dev"), ("-u",)], ids=" ".join)
def test_options_of_the_interpreter(flags: tuple[str, ...], tmp_path: Path) -> None:
    _lay_out(tmp_path, "import sys, warnings\nassert not __debug__, 'debug'\nwarnings.warn('w')\nprint(sys.flags)\n")
    _assert_alike(tmp_path, "program.py", flags=flags)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="python -P is new in 3.11")
def test_safe_path_adds_no_folder(tmp_path: Path) -> None:
    _lay_out(tmp_path, "import sys; print(sys.path); import helper")
    _assert_alike(tmp_path, "program.py", flags=("-P",))


def test_broken_pipe(tmp_path: Path) -> None:
    _lay_out(tmp_path, "for i in range(100_000):\n    print(i)\n")
    ends = []
    for launcher in ((), (str(LAUNCHER),)):
        process = subprocess.Popen(
            [sys.executable, *launcher, "program.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**os.environ, "PYTHONPATH": str(SOURCES)},
        )  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        ends.append((process.stderr.read(), process.wait(30)))
        process.stderr.close()
    assert ends[0] == ends[1]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=lambda sent: sent.name)
def test_signal_from_outside(sent: signal.Signals, tmp_path: Path) -> None:
    _lay_out(tmp_path, "import time\nprint('ready', flush=True)\ntime.sleep(30)\n")
    ends = []
    for launcher in ((), (str(LAUNCHER),)):
        process = subprocess.Popen(
            [sys.executable, *launcher, "program.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**os.environ, "PYTHONPATH": str(SOURCES)},
        )  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        time.sleep(0.5)  # so that it sleeps by then, on a busy machine as well
        process.send_signal(sent)
        _, errors = process.communicate(timeout=30)
        ends.append((errors, process.returncode))
    assert ends[0] == ends[1]
    assert ends[0][1] == -sent


def test_dataloader_workers(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    _lay_out(
        tmp_path,
        """
        import torch
        from torch.utils.data import DataLoader, Dataset
        class Squares(Dataset):
            def __len__(self): return 6
            def __getitem__(self, i): return torch.tensor(i * i)
        if __name__ == "__main__":
            for method in ("fork", "spawn"):
                loader = DataLoader(Squares(), batch_size=3, num_workers=1, multiprocessing_context=method)
                print([batch.tolist() for batch in loader])
        """,
    )
    stdout, _, code = _assert_alike(tmp_path, "program.py")
    assert (stdout.count("25"), code) == (2, 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("missing.py",), "can't open file '{folder}/missing.py': [Errno 2] No such file or directory"),
        (("empty",), "can't find '__main__' module in '{folder}/empty'"),
        (("-m", "missing"), "No module named missing"),
        (("-m", "empty"), "No module named empty.__main__; 'empty' is a package and cannot be directly executed"),
    ],
)
def test_nothing_to_run_is_one_sentence(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    if words[0] == "-m":
        (tmp_path / "empty" / "__init__.py").touch()
    stdout, stderr, code = _ends(tmp_path, str(LAUNCHER), *words)
    assert (stdout, stderr.strip(), code) == ("", said.format(folder=tmp_path), 2)
    assert said.format(folder=tmp_path) in _ends(tmp_path, *words)[1]
