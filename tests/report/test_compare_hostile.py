"""Two records of which one is damaged, or full of somebody else's text: a sentence or a report; never a traceback."""

from __future__ import annotations

import html
import os
import random
import re
import sqlite3
from pathlib import Path

import pytest

from tests.records import RecordBuilder, statistics
from tests.report.comparing import every_format, write_run
from tests.report.test_escaping import NASTY, Elements
from tests.report.test_hostile_records import FORMATS
from wellposed.cli import main

OTHER = {"rms": 1.5, "lr": 0.3, "weight": 0.6, "gradient": 0.3, "extra": True, "epsilon": 1e-3}


def survives(capsys, *paths: Path) -> list[int]:
    """Compare the records in every format and order: each time a report, or one sentence and 2."""
    codes = []
    for form in FORMATS:
        for order in (paths, paths[::-1]):
            code = main(["report", "--compare", "--format", form, "-o", "-", *map(str, order)])
            out, err = capsys.readouterr()
            codes.append(code)
            if code == 2:
                assert (err.count("\n"), out) == (1, "")
                assert err[:-1].isprintable()
            else:
                assert (code, err) == (0, "")
                assert out
    return codes


@pytest.fixture
def sound(tmp_path):
    return write_run(tmp_path / "sound.wellposed")


@pytest.fixture
def path(tmp_path):
    """To be damaged."""
    return write_run(tmp_path / "other.wellposed", **OTHER)


def write_nasty(path: Path, text: str, rms: float) -> Path:
    stored = text.encode("utf-8", "backslashreplace").decode()
    with RecordBuilder(path, argv=[stored], error=stored, exit_code=1, versions={stored: stored}) as record:
        record.source(stored, f"first\n{stored} = {rms}\nlast\n")
        record.source(f"{rms}{stored}", "")
        record.event("optimizer", **{"class": stored, stored: f"{stored}{rms}", "lr": rms})
        record.gradient(0, record.parameter(stored, initial=statistics(rms=rms)), statistics(rms=rms))
        record.parameter(f"{rms}{stored}", (3, int(rms)))
        record.step(0, loss=rms, gradient_norm=rms)
        for dtype in (f"{stored}{rms}", "float32"):
            record.operation(
                stored, file=stored, line=2, module=stored, dtype=dtype, output=statistics(rms=rms),
                arguments={stored: f"{stored}{rms}"},
            )  # fmt: skip
        record.operation(f"{stored}{rms}", file=stored, line=2, module=stored)
    return path


@pytest.mark.parametrize("text", NASTY)
def test_text_of_others_is_shown_not_obeyed(tmp_path, text):
    pair = [write_nasty(tmp_path / f"{rms}.wellposed", text, float(rms)) for rms in (1, 2)]

    terminal, page = every_format(*pair)
    elements = Elements(page)
    for shown in (terminal, page):
        assert [c for c in shown if not c.isprintable() and c != "\n"] == []
    assert not {"script", "img", "b onmouseover"} & set(elements.tags)
    assert not {name for name in elements.attributes if name.startswith("on")}
    assert page.count("</style>") == 1


def test_markup_is_shown_as_written(tmp_path):
    pair = [write_nasty(tmp_path / f"{rms}.wellposed", "<b>[red]&amp;", float(rms)) for rms in (1, 2)]
    terminal, page = every_format(*pair)

    assert "<b>[red]&amp;" in terminal
    assert html.escape("<b>[red]&amp;") in page


def test_the_page_asks_nothing_of_the_network(sound, path):
    _, page = every_format(sound, path)

    assert not re.search(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", page)
    assert not re.search(r"@import|url\(|https?://", page)
    assert "default-src 'none'" in html.unescape(page)
    assert len(page.encode()) < 100_000


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(os.urandom(5000)),
        lambda path: path.write_bytes(path.read_bytes()[:3000]),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["missing", "empty", "noise", "truncated", "a folder"],
)
def test_what_is_no_record_is_refused_in_one_sentence(sound, path, capsys, damage):
    damage(path)
    assert survives(capsys, sound, path) == [2] * 6


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM meta",
        "DELETE FROM step",
        "DELETE FROM operation",
        "DELETE FROM operand",
        "DELETE FROM site",
        "DELETE FROM parameter",
        "DELETE FROM parameter_step",
        "DELETE FROM source",
        "DELETE FROM event",
        "UPDATE meta SET value = '[]' WHERE key = 'script'",
        "UPDATE meta SET value = '\"text\"'",
        "UPDATE step SET id = id * 1000000000000000000",
        "UPDATE step SET id = -id",
        "UPDATE step SET loss = 1e308 * (1 - 2 * (id % 2)), gradient_norm = -1",
        "UPDATE step SET loss = 4e-324 * id",
        "UPDATE step SET loss = 'inf', gradient_norm = 'nan', learning_rate = 1e999, update_norm = '-inf'",
        "UPDATE step SET loss = 0, gradient_norm = 0",
        "UPDATE step SET level = '<script>'",
        "UPDATE operation SET arguments = '{\"eps\": NaN}'",
        'UPDATE operation SET arguments = \'{"eps": ' + "[" * 900 + "]" * 900 + "}'",
        'UPDATE operation SET arguments = \'{"eps": ' + "9" * 4200 + "}'",
        "UPDATE operation SET step = 0",
        "UPDATE operation SET phase = 99",
        "UPDATE operand SET shape = ''",
        "UPDATE operand SET shape = '1,,x'",
        "UPDATE operand SET count = -1, nan = -5, minimum = 9e300, maximum = -9e300",
        "UPDATE operand SET root_mean_square = -1e308, minimum = 1e999",
        "UPDATE operand SET minimum = NULL, maximum = NULL, mean = NULL, root_mean_square = NULL",
        "UPDATE operand SET dtype = 'float7', device = ''",
        "UPDATE parameter SET name = '', count = NULL",
        "UPDATE parameter SET name = 'a', shape = '" + "9" * 900 + "'",
        "UPDATE parameter_step SET weight_rms = 1e999, update_ratio = -1",
        "UPDATE source SET text = CAST(x'fffe80' AS TEXT)",
        "UPDATE source SET file = ''",
        "UPDATE site SET line = -5",
        "UPDATE site SET line = 9223372036854775807",
        'UPDATE event SET details = \'{"class": [1], "lr": {"a": null}, "momentum": ' + "[" * 900 + "]" * 900 + "}'",
        "CREATE VIEW v AS SELECT 1",
    ],
    ids=lambda statement: statement[:60],
)
def test_wrong_rows_do_no_harm(sound, path, capsys, statement):
    with sqlite3.connect(path) as connection:
        connection.execute(statement)

    survives(capsys, sound, path)
    survives(capsys, path, path)


@pytest.mark.parametrize("seed", range(15))
def test_garbled_bytes_do_no_harm(sound, path, capsys, seed):
    chance = random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 10, 200])):
        start = chance.randrange(100, len(data))
        length = chance.choice([1, 4, 64])
        data[start : start + length] = chance.randbytes(length)[: len(data) - start]
    path.write_bytes(data)

    survives(capsys, sound, path)
