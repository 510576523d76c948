"""Our frames, and PyTorch's around them, vanish from tracebacks; the program's stay."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable

from wellposed.capture import tracebacks
from wellposed.capture.tracebacks import without_own_frames

OWN = tracebacks._OWN_FOLDER


def _function(file: str, name: str) -> Callable[[Callable[[], object]], object]:
    """A function that seems to stand in `file` and calls its argument."""
    namespace: dict[str, Callable[[Callable[[], object]], object]] = {}
    exec(compile(f"def {name}(call):\n    return call()\n", file, "exec"), namespace)
    return namespace[name]


def _raised_through(*frames: tuple[str, str]) -> BaseException:
    def fail() -> object:
        raise ValueError("bottom")

    call: Callable[[], object] = fail
    for file, name in reversed(frames):
        call = functools.partial(_function(file, name), call)
    try:
        call()
    except ValueError as error:
        return error
    raise AssertionError


def _names(error: BaseException) -> list[str]:
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    return [name for name in names if name not in ("_raised_through", "fail")]


def test_frames_of_the_package_are_dropped() -> None:
    error = _raised_through(("train.py", "step"), (OWN + "capture/hooks.py", "hook"), ("model.py", "forward"))
    without_own_frames(error)
    assert _names(error) == ["step", "forward"]


def test_frames_of_a_dispatch_mode_are_dropped_with_ours() -> None:
    error = _raised_through(
        ("train.py", "step"),
        ("/site/torch/_compile.py", "inner"),
        ("/site/torch/_dynamo/eval_frame.py", "_fn"),
        (OWN + "capture/recorder.py", "dispatch"),
        ("/site/torch/_ops.py", "call"),
        ("custom_operator.py", "forward"),
    )
    without_own_frames(error)
    assert _names(error) == ["step", "forward"]


def test_torch_frames_that_are_not_ours_stay() -> None:
    error = _raised_through(("train.py", "step"), ("/site/torch/_ops.py", "call"))
    without_own_frames(error)
    assert _names(error) == ["step", "call"]


def test_causes_contexts_and_groups_are_cleaned() -> None:
    inner = _raised_through(("train.py", "a"), (OWN + "x.py", "ours"))
    outer = RuntimeError("outer")
    outer.__cause__ = inner
    inner.__context__ = outer  # a cycle, as hand-made chains can hold
    without_own_frames(outer)
    assert _names(inner) == ["a"]
    if sys.version_info >= (3, 11):
        member = _raised_through((OWN + "x.py", "ours"), ("train.py", "b"))
        without_own_frames(ExceptionGroup("several", [member]))  # type: ignore[name-defined]  # noqa: F821
        assert _names(member) == ["b"]
