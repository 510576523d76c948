"""The comparison as one page that needs nothing else: no network, no other file, no script. Jinja2 is imported here.

Every text in it is escaped by Jinja2, and a content security policy names the page's own style and nothing besides.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from wellposed.record import Record
from wellposed.report.compare.account import make_account
from wellposed.report.compare.curves import HEIGHT, WIDTH, charts
from wellposed.report.compare.model import Comparison


def to_html(comparison: Comparison, a: Record, b: Record) -> str:
    """The page. Raises RecordError where a record is damaged."""
    ordinary = (resources.files("wellposed.report") / "templates" / "report.css").read_text("utf-8")
    style = f"{ordinary}\n{_own('compare.css')}"
    environment = Environment(
        loader=FunctionLoader(_own), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("compare.html").render(
        told=make_account(comparison),
        charts=charts(a.steps(), b.steps(), comparison.course.step_of("loss")),
        width=WIDTH,
        height=HEIGHT,
        style=Markup(style),
        style_hash=f"sha256-{digest}",
    )


def _own(name: str) -> str:
    return (resources.files("wellposed.report.compare") / name).read_text("utf-8")
