"""The program that ``wellposed run`` is to run: what it is called, where its record goes, how it is started."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

from wellposed.capture.script import Outcome, run_module, run_script
from wellposed.cli.errors import UsageError

_TORCHRUN = "torchrun --nproc-per-node 2 -m wellposed run train.py"
_LAUNCHERS = {
    "torchrun": _TORCHRUN,
    "torch.distributed.run": _TORCHRUN,
    "torch.distributed.launch": _TORCHRUN,
    "accelerate": "accelerate launch -m wellposed run train.py",
    "accelerate.commands.launch": "accelerate launch -m wellposed run train.py",
    "deepspeed": "deepspeed --module wellposed run train.py",
}
"""Programs that start the training in processes of their own, which would go unrecorded."""


@dataclass(frozen=True, slots=True)
class Program:
    """A script, or with `is_module` the name that ``python -m`` would take."""

    name: str
    args: tuple[str, ...]
    is_module: bool

    @property
    def argv(self) -> tuple[str, ...]:
        return (*(("-m",) if self.is_module else ()), self.name, *self.args)

    @property
    def identity(self) -> str:
        """What tells records of this program from those of others."""
        return f"-m {self.name}" if self.is_module else os.path.realpath(self.name)

    @property
    def folder(self) -> Path:
        """Where the program's own files lie: files in its record are named relative to it."""
        if self.is_module:
            return Path.cwd()
        path = Path(os.path.realpath(self.name))
        return path if path.is_dir() else path.parent

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[2] if self.is_module else Path(os.path.abspath(self.name)).stem

    def run(
        self,
        ended: Callable[[], None],
        compiler: Callable[[bytes, str], CodeType | None] = lambda source, file: None,
    ) -> Outcome:
        """Run it in this process; `ended` is called before a traceback is printed, and `compiler` may give other code
        for a script (see `run_script`). Raises ProgramNotFoundError."""
        if self.is_module:
            return run_module(self.name, self.args, ended)
        return run_script(self.name, self.args, ended, compiler)


def parse_program(module: list[str] | None, words: list[str]) -> Program:
    """The program that the command line names. Raises UsageError where there is none, or only a launcher of others."""
    if module is not None and not module:
        raise UsageError("-m needs the name of a module: wellposed run -m package.module")
    chosen = module or words
    if not chosen or chosen[0] == "":
        raise UsageError("there is no program to run; say: wellposed run train.py")
    name, *args = chosen
    program = Program(name, tuple(args), is_module=module is not None)
    launcher = name if program.is_module else os.path.basename(name)
    if launcher in _LAUNCHERS:
        raise UsageError(
            f"{launcher} starts processes of its own, which would go unrecorded; let each record itself: "
            f"{_LAUNCHERS[launcher]}"
        )
    if not program.is_module:
        _require_script(name)
    return program


def parse_steps(text: str | None) -> tuple[int, int] | None:
    """First and last step, inclusive, of ``N`` or ``A-B``; None for None. Raises UsageError for anything else."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    first, last = (int(found.group(1)), int(found.group(2) or found.group(1))) if found else (1, 0)
    if first > last:
        raise UsageError(f"steps are a number or a range such as 100-120; not {text!r}")
    return first, last


def record_path(program: Program, output: str | None, rank: int | None) -> Path:
    """Where the record goes, absolute; each rank of a distributed run has its own."""
    path = Path(output) if output is not None else Path(f"{program.stem}.wellposed")
    if rank is not None:
        stem = path.name.removesuffix(".wellposed")
        path = path.with_name(f"{stem}.rank{rank}.wellposed")
    return Path(os.path.abspath(path))


def rank_of_this_process() -> tuple[int, int] | None:
    """Rank and world size as torchrun sets them; None for a process that is alone."""
    rank, world = os.environ.get("RANK", ""), os.environ.get("WORLD_SIZE", "")
    if not (rank.isdigit() and world.isdigit()) or int(world) < 2:
        return None
    return int(rank), int(world)


def _require_script(name: str) -> None:
    """Raises UsageError where there is no such file, in python's words and with the nearest name."""
    if name == "-":
        raise UsageError("a program on standard input cannot be recorded; write it to a file")
    if os.path.exists(name):
        return
    if os.path.basename(name) in ("python", "python3"):
        raise UsageError(f"leave out {name}: wellposed run train.py")
    if name.startswith("-"):
        raise UsageError(f"there is no option {name!r} (see wellposed run --help)")
    path = os.path.join(os.getcwd(), name)
    try:
        others = [other for other in os.listdir(os.path.dirname(path)) if other.endswith(".py")]
    except OSError:
        others = []
    near = difflib.get_close_matches(os.path.basename(name), others, n=1)
    hint = f"; did you mean {os.path.join(os.path.dirname(name), near[0])}?" if near else ""
    raise UsageError(f"can't open file {path!r}: [Errno 2] No such file or directory{hint}")
