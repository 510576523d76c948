"""The report as one page that needs nothing else: no network, no other file. Jinja2 is imported here.

Every text in the page is escaped by Jinja2; data for the script travels as JSON in which no character can end the
element; a content security policy names the page's own script and style by their hashes, so that nothing else runs.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from wellposed.report.curves import lines
from wellposed.report.exponents import exponent_figures
from wellposed.report.maps import activation_map, gradient_map, update_map
from wellposed.report.merge import Runs, merge, rank_of
from wellposed.report.operations import MOST_ROWS, operations_table
from wellposed.report.propagation import propagation
from wellposed.report.sources import annotated_sources
from wellposed.report.story import make_story

_BARS = 24
_GENERATOR = '<meta name="generator" content="wellposed">'
_STYLES = ("report.css", "figures.css", "unfolding.css", "epsilons.css")
_SCRIPTS = ("helpers", "scales", "figure", "lines", "maps", "depth", "exponents", "operations", "page")
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&'\u2028\u2029"}


def to_html(runs: Runs, *, fit: str = "") -> str:
    """The page; `fit` is the text of `report.fit`, where another format was asked about.

    Raises RecordError where a record is damaged."""
    told = merge(runs)
    style, script = "\n".join(map(_template, _STYLES)), _script()
    parts = _data(runs)
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = prose
    return environment.get_template("report.html").render(
        story=make_story(runs, bars=_BARS),
        sources=annotated_sources(runs, told),
        fit=fit,
        generator=Markup(_GENERATOR),
        style=Markup(style),
        script=Markup(script),
        data=json_island(parts),
        depth=any(part["depth"] for part in parts),
        exponents=any(part["exponents"] for part in parts),
        readings=[reading for part in parts for reading in _readings(part)],
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def prose(text: str) -> Markup:
    """A sentence with what stands between backticks as code; escaped."""
    pieces = [escape(piece) for piece in text.split("`")]
    if len(pieces) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup(f"<code>{piece}</code>") if n % 2 else piece for n, piece in enumerate(pieces))


def is_our_page(path: Path) -> bool:
    """Whether this file is a page that we wrote; False where it cannot be read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as page:
            return _GENERATOR in page.read(2000)
    except OSError:
        return False


def json_island(data: Any) -> Markup:
    """JSON that is safe inside a script element: no character in it means anything to HTML or JavaScript."""
    return Markup(json.dumps(data, separators=(",", ":"), allow_nan=False).translate(_ESCAPES))


def _data(runs: Runs) -> list[dict[str, Any]]:
    """What the script draws, a part for each record."""
    parts = []
    for position, (record, diagnosis) in enumerate(runs):
        maps = [gradient_map(record), activation_map(record), update_map(record)]
        parts.append(
            {
                "title": f"rank {rank_of(record, position)}" if len(runs) > 1 else "",
                "lines": lines(record.steps()),
                "maps": [each for each in maps if each is not None],
                "depth": propagation(record),
                "exponents": exponent_figures(record),
                "operations": operations_table(record, diagnosis.findings, max(300, MOST_ROWS // len(runs))),
            }
        )
    return parts


def _readings(part: dict[str, Any]) -> Iterator[str]:
    """What the figures say, in sentences: for readers without a script."""
    spread = [part["exponents"]] if part["exponents"] else []
    for drawn in [*part["maps"], *part["depth"], *spread]:
        said = drawn.get("readings") or [each for each in [drawn.get("reading")] if each]
        title = f"{part['title']}, {drawn['title']}" if part["title"] else drawn["title"]
        yield from (f"{title}: {sentence}" for sentence in said)


def _script() -> str:
    """The parts of the script in one function, so that nothing of it is global."""
    parts = "\n".join(_template(f"script/{name}.js") for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def _template(name: str) -> str:
    return (resources.files("wellposed.report") / "templates" / name).read_text("utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"sha256-{digest}"
