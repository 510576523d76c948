"""Runs a script or module in this process as ``python`` itself would, and tells how it ended. Never imports torch.

Two things cannot be had from inside the process: the launcher's own frames lie below the program's on the stack
(``traceback.print_stack`` shows them), and modules that the launcher needed are imported already.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import pkgutil
import runpy
import signal
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader, SourcelessFileLoader

from wellposed.capture.tracebacks import without_own_frames

_launcher_path: list[str] = list(sys.path)


class ProgramNotFoundError(Exception):
    """There is no such script or module, or it cannot be read; the message is one sentence in python's own words."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended."""

    exit_code: int
    """What a shell sees: 0 to 255."""
    error: str | None = None
    """The last line of the traceback, where an exception ended it."""
    signal: int | None = None
    """The signal that python would end itself by (SIGINT after an uncaught KeyboardInterrupt)."""


def run_script(
    path: str,
    args: Sequence[str],
    ended: Callable[[], None] = lambda: None,
    compiler: Callable[[bytes, str], types.CodeType | None] = lambda source, file: None,
) -> Outcome:
    """Run a file, or a folder or zip archive that holds a ``__main__.py``, as ``python path args…``.

    Returns when the program and its non-daemon threads are done, its traceback printed; `ended` is called before
    that is printed. `compiler` may give other code for the script's bytes and file that does the same; None leaves it
    to Python's own. Raises ProgramNotFoundError where nothing could be run.
    """
    file = _absolute(path)
    if pkgutil.get_importer(file) is not None:
        _enter(file, [path, *args], always=True)
        return _run_and_wait(lambda: _run_as_main("__main__", alter_argv=False), ended)
    source = _source(file)
    main = _enter(os.path.dirname(os.path.realpath(file)), [path, *args])
    loader = SourcelessFileLoader if source is None else SourceFileLoader
    main.__dict__.update(__file__=file, __loader__=loader("__main__", file))
    if sys.version_info < (3, 15):
        main.__dict__["__cached__"] = None
    return _run_and_wait(lambda: exec(_code(file, source, compiler), main.__dict__), ended)


def run_module(name: str, args: Sequence[str], ended: Callable[[], None] = lambda: None) -> Outcome:
    """Run a module or package as ``python -m name args…``; else as `run_script`."""
    _enter(os.getcwd(), ["-m", *args])
    return _run_and_wait(lambda: _run_as_main(name, alter_argv=True), ended)


def end_process(outcome: Outcome) -> int:
    """The exit code to end this process with; where python would end by SIGINT, raises the KeyboardInterrupt for it.

    Left uncaught, that KeyboardInterrupt prints nothing more, lets the interpreter shut down as usual and then kills
    the process by the signal, so that a calling shell script or ``make`` stops as well.
    """
    if outcome.signal == signal.SIGINT:
        sys.excepthook = lambda *_: None
        raise KeyboardInterrupt
    return outcome.exit_code


@contextlib.contextmanager
def launcher_imports() -> Iterator[None]:
    """Imports without the program's folder: it may hold an ``html.py`` that is not the standard library's."""
    theirs = list(sys.path)
    sys.path[:] = _launcher_path
    try:
        yield
    finally:
        sys.path[:] = theirs


# --- the state of the interpreter when a program starts -------------------------------------------------------


def _enter(first: str, argv: list[str], *, always: bool = False) -> types.ModuleType:
    """Set argv, the first entry of the import path and a fresh ``__main__``; python's safe mode adds no entry."""
    safe = bool(sys.flags.isolated or getattr(sys.flags, "safe_path", False))
    own = {"", os.getcwd(), os.path.dirname(os.path.realpath(sys.argv[0]))}
    if not safe and sys.path and sys.path[0] in own:
        del sys.path[0]
    _launcher_path[:] = sys.path
    if always or not safe:
        sys.path.insert(0, first)
    sys.argv = argv
    main = types.ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins)
    if sys.version_info < (3, 14):
        main.__dict__.update(__annotations__={})
    sys.modules["__main__"] = main
    return main


def _absolute(path: str) -> str:
    """The path as python puts it into ``__file__``: absolute, but not normalised."""
    return path if os.name != "posix" else os.path.join(os.getcwd(), path)


def _source(file: str) -> bytes | None:
    """The script's bytes; None for a compiled one. Raises ProgramNotFoundError."""
    try:
        with io.open_code(file) as stream:
            return None if file.endswith(".pyc") else stream.read()
    except OSError as error:
        reason = f"[Errno {error.errno}] {error.strerror}"
        raise ProgramNotFoundError(f"can't open file {file!r}: {reason}") from None


def _code(file: str, source: bytes | None, compiler: Callable[[bytes, str], types.CodeType | None]) -> types.CodeType:
    if source is None:
        return SourcelessFileLoader("__main__", file).get_code("__main__")  # type: ignore[return-value]
    _require_declared_encoding(file, source)
    code = compiler(source, file)
    if code is not None:
        return code
    try:
        # dont_inherit: this module's `from __future__ import annotations` is not the program's.
        return compile(source, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        if str(error.msg).startswith("unknown encoding: "):
            raise SyntaxError(f"encoding problem: {error.msg[18:]}") from None
        raise


def _require_declared_encoding(file: str, source: bytes) -> None:
    """Raise what python raises for a file that is not UTF-8 and does not say so: from bytes, compile lets it pass."""
    try:
        source.decode()
    except UnicodeDecodeError as error:
        import tokenize

        with contextlib.suppress(SyntaxError):
            if tokenize.detect_encoding(io.BytesIO(source).readline)[0] != "utf-8":
                return
        line = source.count(b"\n", 0, error.start) + 1
        raise SyntaxError(
            f"Non-UTF-8 code starting with '\\x{source[error.start]:02x}' in file {file} on line {line}, "
            f"but no encoding declared; see https://peps.python.org/pep-0263/ for details"
        ) from None


def _run_as_main(name: str, *, alter_argv: bool) -> None:
    """What the interpreter itself calls for -m, folders and archives, so that tracebacks and messages are its own."""
    try:
        runpy._run_module_as_main(name, alter_argv)  # type: ignore[attr-defined]
    except SystemExit as stop:
        innermost = stop.__traceback__
        while innermost is not None and innermost.tb_next is not None:
            innermost = innermost.tb_next
        if innermost is not None and innermost.tb_frame.f_code is runpy._run_module_as_main.__code__:  # type: ignore[attr-defined]
            raise ProgramNotFoundError(str(stop.code).removeprefix(f"{sys.executable}: ")) from None
        raise


# --- how it ends ----------------------------------------------------------------------------------------------


def _run_and_wait(program: Callable[[], None], ended: Callable[[], None]) -> Outcome:
    failure: BaseException | None = None
    try:
        program()
    except ProgramNotFoundError:
        raise
    except BaseException as error:
        failure = error
    # Outside the except block: the program's excepthook must not see an exception being handled.
    with contextlib.suppress(Exception):
        ended()
    _flush()
    outcome = Outcome(0) if failure is None else _ended_by(failure)
    _wait_for_threads()
    _flush()
    return outcome


def _ended_by(failure: BaseException) -> Outcome:
    if isinstance(failure, SystemExit):
        return _exited(failure)
    without_own_frames(failure)
    traceback = failure.__traceback__
    sys.last_type, sys.last_value, sys.last_traceback = type(failure), failure, traceback
    if sys.version_info >= (3, 12):
        sys.last_exc = failure
    stop = _call_excepthook(failure)
    if isinstance(failure, KeyboardInterrupt):
        return Outcome(128 + signal.SIGINT, "KeyboardInterrupt", int(signal.SIGINT))
    exit_code = 1 if stop is None else _exited(stop).exit_code
    return Outcome(exit_code, _last_line(failure))


def _exited(stop: SystemExit) -> Outcome:
    code = stop.code
    if code is None:
        return Outcome(0)
    if isinstance(code, int):
        in_range = -(2**63) <= code < 2**63
        return Outcome(code & 0xFF if in_range else 0xFF)
    with contextlib.suppress(Exception):
        print(code, file=sys.stderr, flush=True)
    return Outcome(1, f"SystemExit: {_first_line(code)}")


def _call_excepthook(failure: BaseException) -> SystemExit | None:
    """Print the traceback, through the program's own hook where it set one; returns the exit it asked for."""
    error: BaseException
    try:
        getattr(sys, "excepthook", sys.__excepthook__)(type(failure), failure, failure.__traceback__)
        return None
    except SystemExit as stop:
        return stop
    except BaseException as raised:
        error = raised
    without_own_frames(error)
    with contextlib.suppress(Exception):
        print("Error in sys.excepthook:", file=sys.stderr, flush=True)
        sys.__excepthook__(type(error), error, error.__traceback__)
        print("\nOriginal exception was:", file=sys.stderr, flush=True)
        sys.__excepthook__(type(failure), failure, failure.__traceback__)
    return None


def _wait_for_threads() -> None:
    """Join the program's non-daemon threads and idle pools, as the interpreter does before it calls atexit handlers."""
    threading = sys.modules.get("threading")
    if threading is None:
        return
    try:
        threading._shutdown()
    except BaseException as error:
        without_own_frames(error)
        with contextlib.suppress(Exception):
            print(f"Exception ignored in: {threading!r}", file=sys.stderr, flush=True)
            sys.__excepthook__(type(error), error, error.__traceback__)


def _flush() -> None:
    """What cannot be written now (a closed pipe) is reported by the interpreter when it shuts down."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def _last_line(failure: BaseException) -> str:
    kind = type(failure)
    name = (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )
    message = failure.msg if isinstance(failure, SyntaxError) else failure
    text = _first_line(message)
    return f"{name}: {text}" if text else name


def _first_line(value: object) -> str:
    try:
        lines = str(value).strip().splitlines()
    except Exception:
        return "<exception str() failed>"
    return lines[0] if lines else ""
