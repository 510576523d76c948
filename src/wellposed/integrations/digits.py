"""``wellposed.digits``: a function or a block run beside itself in higher precision."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from wellposed.shadow.result import DigitsReport

if TYPE_CHECKING:
    from wellposed.integrations.digits_torch import DigitsBlock

__all__ = ["DigitsReport", "digits"]


def digits(
    fn: Callable[..., Any] | None = None,
    *args: Any,
    reference: str = "auto",
    attribution: bool = True,
    **kwargs: Any,
) -> DigitsReport | DigitsBlock:
    """Where the digits go in ``fn(*args, **kwargs)``, or in a ``with`` block.

    Each operator runs as it is and a second time in the reference, on values carried along from the start; the
    function's results are bit for bit what they are without us. ::

        report = wellposed.digits(variance, x)
        print(report)               # the culprit line, bits cancelled, digits left
        report.result               # what variance(x) returned

        with wellposed.digits() as d:
            loss = model(x).square().mean()
            loss.backward()
            d.output(loss)
        print(d.report)

    fn: called once. Its floating-point results are the outputs whose digits are asked for; where it returns none, the
    last tensor that ``backward()`` was called on. Without `fn` the result is a context manager.

    reference: ``float64``, ``double-double`` (31 digits, for programs in float64), or ``auto``, which takes
    double-double where the arguments hold float64 tensors and float64 otherwise.

    attribution: say which operator caused how much of the outputs' error. It keeps the values of the run, up to a
    GiB, and measures every call; without it calls of a place are measured ever more rarely, as suits a long training.

    Raises ValueError for an unknown reference, and TypeError where `fn` cannot be called.
    """
    if fn is not None and not callable(fn):
        raise TypeError(f"digits() takes a function and its arguments, not {type(fn).__name__}")
    if fn is not None and not _is_of_torch(fn, args, kwargs):
        from wellposed.integrations.digits_numpy import digits_of_numpy

        return digits_of_numpy(fn, args, kwargs, reference)
    from wellposed.integrations.digits_torch import DigitsBlock, digits_of_torch

    if fn is None:
        return DigitsBlock(reference, attribution=attribution)
    return digits_of_torch(fn, args, kwargs, reference, attribution=attribution)


def _is_of_torch(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether PyTorch has a part in it: in the arguments, in the function itself, or in what it refers to."""
    torch = sys.modules.get("torch")
    numpy = sys.modules.get("numpy")
    if torch is None:
        return numpy is None
    kinds = (torch.Tensor, torch.nn.Module)
    if any(isinstance(each, kinds) for each in (fn, getattr(fn, "__self__", None), *_leaves((args, kwargs)))):
        return True
    if any(_is_module_of(each, torch) or isinstance(each, kinds) for each in _referred(fn)):
        return True
    return numpy is None or not any(
        isinstance(each, (numpy.ndarray, numpy.generic)) for each in _leaves((args, kwargs))
    )


def _is_module_of(value: Any, torch: Any) -> bool:
    name = getattr(value, "__name__", "") if isinstance(value, type(torch)) else ""
    return name == "torch" or name.startswith("torch.")


def _referred(fn: Callable[..., Any]) -> Iterable[Any]:
    """The globals that the function's code names, and what it closes over."""
    code = getattr(fn, "__code__", None)
    if code is None:
        return
    names = getattr(fn, "__globals__", {})
    for name in code.co_names:
        if name in names:
            yield names[name]
    for cell in getattr(fn, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not yet set
            continue


def _leaves(value: Any, depth: int = 4) -> Iterable[Any]:
    if depth and isinstance(value, (list, tuple, set)):
        for each in value:
            yield from _leaves(each, depth - 1)
    elif depth and isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each, depth - 1)
    else:
        yield value
