"""Records that are damaged, or made to do harm: one sentence and exit code 2, or a report; never a traceback."""

from __future__ import annotations

import os
import random
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.report.conftest import write_broken
from wellposed.cli import main
from wellposed.record import Record, RecordError, schema

FORMATS = ("terminal", "json", "html")


def survives(capsys, *paths: Path) -> list[int]:
    """Report the records in every format: each time a report, or one sentence and 2."""
    codes = []
    for form in FORMATS:
        code = main(["report", "--format", form, "-o", "-", *map(str, paths)])
        out, err = capsys.readouterr()
        codes.append(code)
        if code == 2:
            assert err.count("\n") == 1, err
            assert err.isprintable() or err[:-1].isprintable()
            assert len(err) < 5000
        else:
            assert (code, err) == (0, "")
            assert out
    return codes


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> bytes:
    path = write_broken(tmp_path_factory.mktemp("sound") / "train.wellposed")
    return path.read_bytes()


@pytest.fixture
def path(tmp_path, sound) -> Path:
    """A sound record, to be damaged."""
    (tmp_path / "train.wellposed").write_bytes(sound)
    return tmp_path / "train.wellposed"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.unlink(), "there is no record"),
        (lambda path: path.write_bytes(b""), "no wellposed record"),
        (lambda path: path.write_bytes(b"import torch\n" * 100), "no wellposed record"),
        (lambda path: path.write_bytes(os.urandom(5000)), "no wellposed record"),
        (lambda path: (path.unlink(), path.mkdir()), "is a folder"),
        (lambda path: path.write_bytes(path.read_bytes()[:3000]), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]), "damaged"),
    ],
    ids=["missing", "empty", "a script", "noise", "a folder", "truncated early", "truncated late"],
)
def test_what_is_no_record_is_refused_in_one_sentence(path, capsys, damage: Callable[[Path], object], says):
    damage(path)

    assert main(["report", str(path)]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_another_version_is_named(path, capsys):
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={schema.VERSION + 7}")

    assert main(["report", str(path)]) == 2
    assert f"version {schema.VERSION + 7}" in capsys.readouterr().err


def test_another_database_is_no_record(tmp_path, capsys):
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE t (x)")

    assert survives(capsys, tmp_path / "other.db") == [2, 2, 2]


def test_names_with_control_characters_are_shown_not_obeyed(tmp_path, capsys):
    assert main(["report", str(tmp_path / "a\x1b[31m\nb")]) == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "\\x1b" in err


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE operation",
        "DROP TABLE meta",
        "DELETE FROM meta",
        "DELETE FROM step",
        "DELETE FROM operator",
        "DELETE FROM module",
        "DELETE FROM site",
        "UPDATE meta SET value = '{'",
        "UPDATE meta SET value = NULL",
        "UPDATE meta SET value = 'null'",
        "UPDATE meta SET value = '\"text\"'",
        "UPDATE meta SET value = '-1e999'",
        "UPDATE meta SET value = '{\"a\": [1, 2]}'",
        "UPDATE meta SET value = '" + "[" * 100_000 + "'",
        "UPDATE meta SET value = x'ff00ff'",
        "UPDATE step SET loss = 'abc'",
        "UPDATE step SET loss = x'ff'",
        "UPDATE step SET loss = 'nan', gradient_norm = '-inf', learning_rate = 1e999",
        "UPDATE step SET level = '<script>', seconds = -5, recording_seconds = 'x'",
        "UPDATE step SET gradient_nonfinite = -9223372036854775808",
        "UPDATE operation SET phase = 99",
        "UPDATE operation SET phase = -1",
        "UPDATE operation SET phase = 'forward'",
        "UPDATE operation SET step = -9223372036854775808",
        "UPDATE operation SET operator = -1",
        "UPDATE operation SET site = 10000000",
        "UPDATE operation SET module = x'00'",
        "UPDATE operation SET arguments = '[]'",
        'UPDATE operation SET arguments = \'{"eps": ' + "9" * 5000 + "}'",
        "UPDATE operation SET seconds = 'long'",
        "UPDATE operand SET shape = '-1,-1'",
        "UPDATE operand SET shape = '1,,x'",
        "UPDATE operand SET shape = '" + "9," * 100_000 + "9'",
        "UPDATE operand SET shape = '" + "9" * 900 + "'",
        "UPDATE operand SET count = -1, nan = -5, minimum = 9e300, maximum = -9e300",
        "UPDATE operand SET count = 'many'",
        "UPDATE operand SET count = 9e300",
        "UPDATE operand SET nan = NULL",
        "UPDATE operand SET root_mean_square = -1",
        "UPDATE operand SET root_mean_square = 'x'",
        "UPDATE operand SET dtype = 'float7', device = '', producer = operation",
        "UPDATE operand SET dtype = x'80', name = x'80', label = x'80'",
        "UPDATE parameter SET name = '', shape = 'x'",
        "UPDATE parameter SET fan_in = -1, fan_out = 0",
        "UPDATE parameter_step SET weight_rms = 'heavy'",
        "UPDATE parameter_step SET root_mean_square = -1e308, update_ratio = -1",
        "UPDATE exponents SET lowest = 9223372036854775807",
        "UPDATE exponents SET lowest = -9223372036854775808, zero = -1",
        "UPDATE exponents SET lowest = 'x'",
        "UPDATE exponents SET counts = '[]'",
        "UPDATE exponents SET counts = 'null'",
        "UPDATE exponents SET counts = '[1e9, \"a\"]'",
        "UPDATE exponents SET counts = '[" + "9" * 4000 + "]'",
        "UPDATE exponents SET counts = '[" + "1," * 100_000 + "1]'",
        "UPDATE exponents SET parameter = -parameter, step = -step",
        "UPDATE step SET scale = 9e999",
        "UPDATE step SET scale = -5",
        "UPDATE operand SET root_mean_square = 1e-320, mean = -9e999, standard_deviation = -1",
        "UPDATE parameter_step SET update_ratio = 9e999, root_mean_square = 0",
        "UPDATE source SET text = NULL",
        "UPDATE source SET text = x'ff'",
        "UPDATE source SET text = CAST(x'fffe80' AS TEXT)",
        "UPDATE source SET text = ''",
        "UPDATE site SET line = -5",
        "UPDATE site SET line = 'here'",
        "UPDATE site SET file = CAST(x'fffe80' AS TEXT)",
        "UPDATE site SET file = '" + "../" * 10_000 + "etc/passwd'",
        "INSERT INTO event VALUES (1, -1, 'parameter-' || char(27), -1, 'null')",
        "CREATE VIEW endless AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c",
        "CREATE TRIGGER t AFTER INSERT ON step BEGIN DELETE FROM step; END",
    ],
    ids=lambda statement: statement[:60],
)
def test_wrong_rows_do_no_harm(path, capsys, statement):
    with sqlite3.connect(path) as connection:
        connection.execute(statement)

    survives(capsys, path)


def test_programs_in_the_database_are_refused(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE VIEW v AS SELECT 1")

    with pytest.raises(RecordError, match="more than plain tables"):
        Record(path)


@pytest.mark.parametrize("seed", range(40))
def test_garbled_bytes_do_no_harm(path, capsys, seed):
    chance = random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 10, 200])):
        start = chance.randrange(100, len(data))
        length = chance.choice([1, 4, 64])
        data[start : start + length] = chance.randbytes(length)[: len(data) - start]
    path.write_bytes(data)

    survives(capsys, path)


@pytest.mark.parametrize("seed", range(12))
def test_records_cut_anywhere_do_no_harm(path, capsys, seed):
    data = path.read_bytes()
    path.write_bytes(data[: random.Random(seed).randrange(len(data))])

    survives(capsys, path)


def test_damage_that_shows_while_iterating_is_a_record_error(path):
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE operand SET shape = 'x' WHERE operation > 100")
    operations = Record(path).operations()

    with pytest.raises(RecordError):
        list(operations)


def test_the_record_is_only_read(path, capsys):
    before = zlib.crc32(path.read_bytes())
    survives(capsys, path)
    assert zlib.crc32(path.read_bytes()) == before
    assert sorted(each.name for each in path.parent.iterdir()) == ["train.wellposed"]
