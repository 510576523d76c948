"""Chains as they are written on the command line and in files, and what is wrong with them, in one sentence."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wellposed.cli.errors import UsageError

_TIMES = re.compile(r"[x×*]", re.IGNORECASE)
_LONGEST_NUMBER = 30
"""Digits; dimensions have at most nineteen."""


@dataclass(frozen=True, slots=True)
class Given:
    """A chain and where it was given, for the sentence that says what is wrong with it."""

    dims: list[Any]
    where: str = ""


def chains(args: argparse.Namespace) -> Iterator[Given]:
    """The chains that the command line names. Raises UsageError for what is none."""
    ways = [way for way in ("shapes", "dims", "file", "npz") if getattr(args, way)]
    if len(ways) != 1:
        raise UsageError(
            "give the chain one way, not two" if ways else "there is no chain; say: wellposed plan 10x100 100x5 5x50"
        )
    if args.shapes:
        yield Given(_dims(args.shapes, ""))
    elif args.dims:
        yield Given(_numbers(_fields(args.dims), ""))
    elif args.file:
        yield from _lines(args.file)
    else:
        yield _arrays(args.npz)


def _dims(words: Sequence[str], where: str) -> list[Any]:
    """Shapes, where one of the words has two dimensions or more; else dimensions."""
    if any(_TIMES.search(word) for word in words):
        return [tuple(_number(part, where, word) for part in _TIMES.split(word)) for word in words]
    return _numbers(words, where)


def _numbers(words: Sequence[str], where: str) -> list[int]:
    return [_number(word, where) for word in words]


def _number(text: str, where: str, word: str | None = None) -> int:
    if len(text) <= _LONGEST_NUMBER and re.fullmatch(r"[+-]?[0-9]+", text):
        return int(text)
    word = text if word is None else word
    shown = word if len(word) <= _LONGEST_NUMBER else word[:_LONGEST_NUMBER] + "…"
    raise UsageError(f"{where}{shown!r} is no shape or dimension; write shapes as 10x100 and dimensions as 10,100,5,50")


def _fields(text: str) -> list[str]:
    return [field for field in re.split(r"[,;\s]+", text.strip()) if field]


def _lines(file: str) -> Iterator[Given]:
    found = False
    for number, line in enumerate(_text(file).splitlines(), start=1):
        words = _fields(line.partition("#")[0])
        if words:
            found = True
            where = f"{_name(file)}, line {number}: "
            yield Given(_dims(words, where), where)
    if not found:
        raise UsageError(f"{_name(file)} holds no chain: write the dimensions of one on each line, as 10,100,5,50")


def _name(file: str) -> str:
    return "standard input" if file == "-" else file


def _text(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {_name(file)}: {reason}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{_name(file)} is no text: byte {error.start} is not UTF-8") from error


def _arrays(file: str) -> Given:
    from wellposed.chain.npz import NpzError, shapes

    try:
        named = shapes(file)
    except ImportError as error:
        raise UsageError("--npz needs NumPy: pip install numpy") from error
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from error
    except NpzError as error:
        raise UsageError(str(error)) from error
    return Given([shape for _, shape in named], f"{file} ({', '.join(name for name, _ in named[:6])}): ")


# --- what is asked of it ----------------------------------------------------------------------------------------


def minimize(word: str) -> str | dict[str, float]:
    """``memory``, or weights: ``multiplications=1,moved=20``. Raises UsageError."""
    if "=" not in word:
        return word
    weights: dict[str, float] = {}
    for part in _fields(word):
        name, _, value = part.partition("=")
        try:
            weights[name] = float(value)
        except ValueError:
            raise UsageError(f"--minimize: the weight of {name} is {value!r}, which is no number") from None
    return weights


def elements(word: str) -> int:
    """A number of elements: ``1000000``, ``1e6`` or ``1_000_000``. Raises UsageError."""
    plain = word.replace("_", "").replace(",", "")
    if re.fullmatch(r"[0-9]{1,99}", plain):
        return int(plain)
    if found := re.fullmatch(r"([0-9]{1,30})e\+?([0-9]{1,2})", plain, re.IGNORECASE):
        return int(found[1] + "0" * int(found[2]))
    raise UsageError(f"a memory limit is a number of elements such as 1000000 or 1e6; not {word!r}")


def gradients(word: str, operands: int) -> list[bool]:
    """One boolean an operand, from ``all`` or from their numbers: ``0,2``. Raises UsageError."""
    if word == "all":
        return [True] * operands
    needing = [False] * operands
    for field in _fields(word):
        if not (field.isascii() and field.isdigit() and len(field) < 10 and int(field) < operands):
            raise UsageError(f"--requires-grad has the operands' numbers, 0 to {operands - 1}, or all; not {field!r}")
        needing[int(field)] = True
    return needing
