"""``wellposed plan``: every way to name a chain, what it prints, and one sentence for what is no chain."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from tests.cli.commands import wellposed
from wellposed.cli import main

EXAMPLE = """\
A0·(A1·A2): 7,500 multiplications
·  50×10  2,500 multiplications
├─ A0  50×5
└─ ·  5×10  5,000 multiplications
   ├─ A1  5×100
   └─ A2  100×10

  product     shapes          multiplications  makes
  A1·A2       5×100 · 100×10            5,000  50 elements
  A0·(A1·A2)  50×5 · 5×10               2,500  500 elements, the result
as written, left to right: 75,000 → 7,500, 10×
right to left: the same
at most 550 elements alive at once beyond the operands
"""


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["plan", *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def plans(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    found = json.loads(told(capsys, "--json", *words))
    assert found["schema"] == "wellposed-plan/1"
    return found["plans"]


def test_the_example(capsys):
    assert told(capsys, "50x5", "5x100", "100x10") == EXAMPLE


@pytest.mark.parametrize("words", [["50×5", "5X100", "100*10"], ["50", "5", "100", "10"], ["--dims", "50,5, 100 10"]])
def test_other_ways_to_write_it(words, capsys):
    assert told(capsys, *words) == EXAMPLE


def test_a_process_of_its_own_writes_no_colour_into_a_pipe(tmp_path):
    ended = wellposed(tmp_path, "plan", "50x5", "5x100", "100x10", TERM="xterm-256color")
    assert (ended.code, ended.stdout, ended.stderr) == (0, EXAMPLE, "")


def test_colour_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("wellposed.report.terminal.in_colour", lambda stream: True)
    coloured = told(capsys, "50x5", "5x100", "100x10")
    assert "\x1b[1mA0·(A1·A2): 7,500 multiplications\x1b[0m" in coloured
    assert "\x1b[32mas written, left to right: 75,000 → 7,500, 10×\x1b[0m" in coloured


def test_ascii_where_the_stream_has_nothing_else(tmp_path):
    ended = wellposed(tmp_path, "plan", "50x5", "5x100", "100x10", PYTHONIOENCODING="ascii")
    assert ended.code == 0 and ended.stdout.startswith("A0-(A1-A2): 7,500")


def test_json(capsys):
    (plan,) = plans(capsys, "8x50x5", "5x100", "100", "--requires-grad", "0")
    assert plan["dimensions"] == [50, 5, 100, 1]
    assert plan["batches"] == [[8], [], []]
    assert plan["expression"] == "A0·(A1·A2)"
    assert plan["path"] == [[1, 2], [0, 1]]
    assert plan["cost"] == 500 + 2 * 8 * 250
    assert plan["requires_grad"] == [True, False, False]
    assert [product["multiplications"] for product in plan["products"]] == [500, 4000]


def test_json_of_a_chain_without_multiplications(capsys):
    (plan,) = plans(capsys, "3", "0", "4", "5")
    assert (plan["cost"], plan["speedup"]) == (0, "inf")


def test_a_file_of_chains(capsys, tmp_path):
    file = tmp_path / "chains.txt"
    file.write_text("\ufeff# dimensions\n50,5,100,10\n\n50x5 5x100 100x10  # shapes\n7 3\n", encoding="utf-8")

    assert told(capsys, "--file", str(file)) == f"{EXAMPLE}\n{EXAMPLE}\nA0: 0 multiplications\n"
    assert [plan["cost"] for plan in plans(capsys, "--file", str(file))] == [7500, 7500, 0]


def test_chains_on_standard_input(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"50,5,100,10\n")))
    assert told(capsys, "--file", "-") == EXAMPLE


def test_arrays_of_a_file_are_not_loaded(capsys, tmp_path):
    numpy = pytest.importorskip("numpy")
    file = tmp_path / "weights.npz"
    numpy.savez(
        file,
        first=numpy.ones((50, 5)),
        second=numpy.asfortranarray(numpy.ones((5, 100), dtype=numpy.float16)),
        third=numpy.full((100, 10), None),  # objects are pickled, and stay so
    )
    assert told(capsys, "--npz", str(file)) == EXAMPLE


def test_minimizing_other_things(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    words = ["--dims", "40,3,30,2,35,1,50,40,3"]

    assert "minimized: memory, 129" in told(capsys, *words, "--minimize", "memory")
    assert "minimized: time, about" in told(capsys, *words, "--minimize", "time")
    assert "minimized: 1·multiplications + 20·moved" in told(
        capsys, *words, "--minimize", "multiplications=1,moved=20,memory=0"
    )
    (plan,) = plans(capsys, *words, "--memory-limit", "150", "--pareto")
    assert plan["peak_elements"] <= 150
    assert [point["peak_elements"] for point in plan["pareto"]] == [129]
    assert "no order beats these in both:\n  129 elements, " in told(capsys, *words, "--pareto")


def test_calibration_is_kept_in_the_users_cache(tmp_path):
    pytest.importorskip("numpy")
    ended = wellposed(tmp_path, "plan", "--calibrate", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (ended.code, ended.stdout) == (0, "")
    kept = list((tmp_path / "cache").rglob("product-times.json"))
    assert len(kept) == 1 and str(kept[0]) in ended.stderr
    assert json.loads(kept[0].read_text())["seconds_per_multiplication"] > 0


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path):
    pytest.importorskip("numpy")
    (tmp_path / "cache").write_text("a file, not a folder")
    ended = wellposed(tmp_path, "plan", "--calibrate", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert ended.code == 2
    assert "wellposed: cannot keep the coefficients: " in ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "there is no chain; say: wellposed plan 10x100 100x5 5x50"),
        (["10x100", "--dims", "3,4"], "give the chain one way, not two"),
        (["10x100", "5x50"], "operand 0 has 100 columns, but operand 1 has 5 rows: 10×100 times 5×50"),
        (["10x100", "100xx5"], "'100xx5' is no shape or dimension; write shapes as 10x100"),
        (["10x", "4"], "'10x' is no shape"),
        (["ten", "4"], "'ten' is no shape or dimension"),
        (["9" * 5000, "4"], "999999999999999999999999999999…' is no shape"),
        (["10x1.5"], "'10x1.5' is no shape"),
        (["3x3", "3", "3x3"], "operand 1 is a vector"),
        (["5"], "so at least two; there is one"),
        (["--dims=3,-4"], "dimension 1 is -4, but no dimension is negative"),
        (["3x4", "4x5", "--minimize", "tim"], "did you mean 'time'?"),
        (["3x4", "4x5", "--minimize", "moved=much"], "the weight of moved is 'much', which is no number"),
        (["3x4", "4x5", "--minimize", "move=1"], "did you mean 'moved'?"),
        (["3x4", "4x5", "--memory-limit", "lots"], "a memory limit is a number of elements such as 1000000 or 1e6"),
        (["3x4", "4x5", "--memory-limit", "14"], "no order fits into 14 elements: the least possible is 15"),
        (["3x4", "4x5", "--requires-grad", "2"], "the operands' numbers, 0 to 1, or all; not '2'"),
        (["--file", "surely_not_there.txt"], "cannot read surely_not_there.txt: No such file or directory"),
        (["--file", "/"], "cannot read /: Is a directory"),
        (["--npz", "surely_not_there.npz"], "cannot read surely_not_there.npz: No such file or directory"),
        (["--npz", __file__], "is no .npz file"),
        (["--dmis", "3,4"], "there is no option '--dmis'; did you mean --dims?"),
    ],
    ids=lambda value: " ".join(value).replace("/", "|")[:50] if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence(words, said, capsys):
    assert main(["plan", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.startswith("wellposed: ") and err.count("\n") == 1 and err.endswith("\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no chain"),
        (b"# nothing\n\n", "holds no chain"),
        (b"3,4\n3,x\n", "line 2: 'x' is no shape"),
        (b"3x4 5x6\n", "line 1: operand 0 has 4 columns"),
        (b"7\n", "line 1: a chain of n matrices has n + 1 dimensions"),
        (b"\x00\x00", "is no shape"),
        (b"\xff\xfe3,4", "is no text: byte 0 is not UTF-8"),
        (b"1," * 100 + b"-1\n", "line 1: dimension 100 is -1"),
    ],
    ids=repr,
)
def test_files_that_hold_no_chains(content, said, capsys, tmp_path: Path):
    file = tmp_path / "chains.txt"
    file.write_bytes(content)

    assert main(["plan", "--file", str(file)]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "content", [b"", b"no array", b"\x93NUMPY\x09\x00", b"\x93NUMPY\x01\x00\x05\x00{(((,"], ids=repr
)
def test_archives_that_hold_no_arrays(content, capsys, tmp_path: Path):
    pytest.importorskip("numpy")
    file = tmp_path / "weights.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("first.npy", content)

    assert main(["plan", "--npz", str(file)]) == 2
    err = capsys.readouterr().err
    assert "the header of first.npy cannot be read" in err and err.count("\n") == 1


def test_damaged_archives_at_every_byte(capsys, tmp_path: Path):
    numpy = pytest.importorskip("numpy")
    file = tmp_path / "weights.npz"
    numpy.savez_compressed(file, a=numpy.ones((3, 4)), b=numpy.ones((4, 2)))
    whole = file.read_bytes()
    for at in range(0, len(whole), 3):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
        assert main(["plan", "--npz", str(file)]) in (0, 2)
        assert capsys.readouterr().err.count("\n") <= 1


def test_an_archive_without_arrays(capsys, tmp_path: Path):
    file = tmp_path / "weights.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "none here")

    assert main(["plan", "--npz", str(file)]) == 2
    assert "holds no arrays" in capsys.readouterr().err


def test_a_long_chain_is_told_in_a_page(capsys, tmp_path: Path):
    file = tmp_path / "long.txt"
    file.write_text(",".join(str(1 + i * 7919 % 101) for i in range(20_001)))

    lines = told(capsys, "--file", str(file)).splitlines()
    assert len(lines) < 40 and max(map(len, lines)) < 200
    (plan,) = plans(capsys, "--file", str(file))
    assert len(plan["path"]) == 19_999
