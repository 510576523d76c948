"""Settings of a project: ``[tool.wellposed]`` in the pyproject.toml nearest to the program."""

from __future__ import annotations

import difflib
import importlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

KEYS = {"budget": "budget", "max-size": "max_size", "fail-on": "fail_on", "disable": "disabled"}
"""What each key of the table is called in `Settings`."""

FAIL_ON = ("error", "warning")
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30}


class SettingsError(ValueError):
    """A setting cannot be understood; the message is one sentence that lists what can."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a project may choose once for all its runs; the command line goes before it."""

    budget: float | None = 0.25
    """Time spent recording over the program's own time; None for no limit."""
    max_size: int | None = 500_000_000
    """Bytes that a record may take; None for no limit."""
    fail_on: str | None = None
    """The mildest severity that makes ``run`` end with 1."""
    disabled: tuple[str, ...] = ()
    """Names or codes of rules that are not asked."""


def load_settings(folder: Path) -> Settings:
    """The settings that hold in `folder`. Raises SettingsError."""
    for place in (folder, *folder.parents):
        file = place / "pyproject.toml"
        if file.is_file():
            return _read(file)
    return Settings()


def parse_budget(text: str) -> float | None:
    """``25%`` as 0.25; ``none`` as None. Raises SettingsError."""
    if text.strip().lower() == "none":
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *%", text.strip())
    if found is None:
        raise SettingsError(f"a budget is a percentage such as 25%, or none; not {text!r}")
    return float(found.group(1)) / 100


def parse_size(text: str) -> int | None:
    """``500MB`` as 500,000,000 bytes; ``none`` as None. Raises SettingsError."""
    if text.strip().lower() == "none":
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *([a-z]*)", text.strip().lower())
    if found is None or found.group(2) not in _UNITS:
        raise SettingsError(f"a size is a number with kB, MB, GB, KiB, MiB or GiB (500MB), or none; not {text!r}")
    return int(float(found.group(1)) * _UNITS[found.group(2)])


def parse_fail_on(text: str) -> str:
    """Raises SettingsError where `text` is no severity to fail on."""
    if text not in FAIL_ON:
        raise SettingsError(f"a severity to fail on is {' or '.join(FAIL_ON)}; not {text!r}")
    return text


def _read(file: Path) -> Settings:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}") from None
    if b"wellposed" not in data:
        return Settings()
    table = _table(file, data)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in KEYS:
            near = difflib.get_close_matches(key.replace("_", "-"), KEYS, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(KEYS)}"
            raise SettingsError(f"{file}: [tool.wellposed] has no setting {key!r}; {hint}")
        try:
            values[KEYS[key]] = _PARSERS[key](value)
        except SettingsError as error:
            raise SettingsError(f"{file}: {key} in [tool.wellposed]: {error}") from None
    return Settings(**values)


def _table(file: Path, data: bytes) -> dict[str, Any]:
    # tomli is what became tomllib in Python 3.11.
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        tool = tomllib.loads(data.decode()).get("tool", {})
    except ValueError as error:
        raise SettingsError(f"{file} is no valid TOML: {error}") from None
    table = tool.get("wellposed", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise SettingsError(f"{file}: tool.wellposed is no table")
    return table


def _text(parse: Callable[[str], Any]) -> Callable[[object], Any]:
    def check(value: object) -> Any:
        if not isinstance(value, str):
            raise SettingsError(f"expected a text, not {value!r}")
        return parse(value)

    return check


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise SettingsError(f"expected a list of rules' names, not {value!r}")
    return tuple(value)


_PARSERS: dict[str, Callable[[object], Any]] = {
    "budget": _text(parse_budget),
    "max-size": _text(parse_size),
    "fail-on": _text(parse_fail_on),
    "disable": _names,
}
assert set(KEYS.values()) == {field.name for field in fields(Settings)}
