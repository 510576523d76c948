"""What the record of a NumPy program holds: operators, values, data flow, steps and updates; how small it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.capture.numpy_running import ENVIRONMENT, record_of
from wellposed.record import Record


def test_operators_carry_names_values_and_constants(tmp_path: Path) -> None:
    ran = record_of(
        "import numpy as np\n"
        "x = np.linspace(1, 4, 4, dtype=np.float32)\n"
        "y = np.exp(x)\n"
        "z = (1 - y) / 3\n"
        "w = 2 / z\n"
        "v = z.mean(axis=0, keepdims=True)\n",
        tmp_path,
    )
    exp = ran.only("exp")
    assert exp.operator == "numpy.exp.exp"
    assert exp.site is not None
    assert (exp.site.file, exp.site.line) == ("program.py", 3)
    assert exp.output is not None and exp.output.statistics is not None
    expected = np.exp(np.linspace(1, 4, 4, dtype=np.float32))
    assert exp.output.dtype == "float32"
    assert exp.output.statistics.maximum == float(expected.max())
    assert exp.output.statistics.mean == pytest.approx(float(expected.mean(dtype=np.float64)), rel=1e-12)
    assert ran.only("rsub").arguments == {"other": 1}
    by_number, into_number = ran.record.operations("div")
    assert by_number.arguments == {"other": 3}
    assert into_number.arguments == {"self": 2}
    assert [each.name for each in into_number.inputs] == ["other"]
    assert ran.only("mean").arguments == {"dim": 0, "keepdim": True}


def test_products_are_named_by_their_dimensions(tmp_path: Path) -> None:
    ran = record_of(
        "import numpy as np\n"
        "A, v, B = np.ones((3, 4)), np.ones(4), np.ones((2, 3, 3))\n"
        "A @ A.T\nA @ v\nv.dot(v)\nB @ B\nnp.dot(A, v)\n",
        tmp_path,
    )
    named = {each.site.line: each.base for each in ran.record.operations() if each.site}
    assert [named[line] for line in (3, 4, 5, 6, 7)] == ["mm", "mv", "dot", "bmm", "mv"]


def test_data_flows_through_views_numbers_and_writes_in_place(tmp_path: Path) -> None:
    ran = record_of(
        "import numpy as np\n"
        "x = np.arange(6.0)\n"
        "y = x * 2\n"
        "v = y.reshape(2, 3)[1]\n"
        "s = v.sum()\n"
        "t = float(s) + 1.5\n"
        "u = np.sqrt(t)\n"
        "y += 1\n"
        "z = np.log(y)\n"
        "y[0] = 5\n"
        "q = y[0] - 1\n",
        tmp_path,
    )
    operations = {each.site.line: each for each in ran.record.operations() if each.site}

    def producer(line: int) -> int | None:
        made = ran.record.operation(operations[line].inputs[0].producer or 0)
        return made.site.line if made is not None and made.site is not None else None

    assert producer(5) == 3
    assert producer(6) == 6  # the number that float() made of it, on the same line
    assert producer(7) == 6
    assert producer(9) == 8
    assert producer(11) == 11  # the element that was taken on the same line
    element = next(each for each in ran.record.operations("select"))
    assert ran.record.operation(element.inputs[0].producer or 0) == operations[10]
    assert operations[8].operator == "numpy.add_.add"


def test_memory_that_is_given_back_is_forgotten(tmp_path: Path) -> None:
    ran = record_of(
        "import numpy as np\n"
        "def fresh():\n"
        "    return (lambda *a: np.array(*a))([1.0, 2.0, 3.0, 4.0])\n"
        "for _ in range(50):\n"
        "    a = np.exp(np.zeros(4))\n"
        "    del a\n"
        "    b = [n for n in (np.frombuffer(b'12345678' * 4),)][0]\n"
        "    c = np.sqrt(fresh())\n",
        tmp_path,
    )
    roots = list(ran.record.operations("sqrt"))
    assert roots
    assert all(each.inputs[0].producer is None for each in roots)


def test_a_step_is_an_iteration_of_the_outermost_loop(tmp_path: Path) -> None:
    ran = record_of(
        "import numpy as np\n"
        "x = np.ones(3)\n"
        "def inner(x):\n"
        "    for k in range(4):\n"
        "        x = x * 2\n"
        "    return x\n"
        "for i in range(5):\n"
        "    y = inner(x)\n"
        "    z = np.sum(y)\n"
        "end = np.exp(x)\n",
        tmp_path,
    )
    assert [step.id for step in ran.record.steps()] == [0, 1, 2, 3, 4]
    assert [each.step for each in ran.record.operations("sum")] == [0, 1, 2, 3, 4]
    assert ran.only("exp").step == 4
    calls = [each.call for each in ran.record.operations("mul", step=0)]
    assert calls == sorted(calls) and len(set(calls)) == 4


def test_a_program_without_a_loop_is_one_step(tmp_path: Path) -> None:
    ran = record_of("import numpy as np\nprint(np.ones(3).sum() * 2)\n", tmp_path)
    assert [(step.id, step.level) for step in ran.record.steps()] == [(0, "full")]


def test_losses_rates_and_updates_of_descent_by_hand(tmp_path: Path) -> None:
    ran = record_of(
        "import numpy as np\n"
        "w, lr = np.array([4.0, 2.0]), 0.25\n"
        "for i in range(3):\n"
        "    loss = (w ** 2).sum()\n"
        "    w -= lr * (2 * w)\n",
        tmp_path,
    )
    steps = ran.record.steps()
    assert [step.loss for step in steps] == [20.0, 5.0, 1.25]
    assert {step.learning_rate for step in steps} == {0.25}
    assert steps[0].update_norm == pytest.approx(np.sqrt(5))
    assert steps[0].gradient_norm == pytest.approx(4 * np.sqrt(5))
    loss = ran.record.operation(steps[0].loss_operation or 0)
    assert loss is not None and loss.base == "sum"
    assert {each.phase for each in ran.record.operations("sub")} == {"optimizer"}
    assert {each.phase for each in ran.record.operations("pow")} == {"forward"}
    (event,) = ran.record.events("updates-by-hand")
    assert (event.details["variable"], event.details["reversed"]) == ("w", 0)


def test_what_makes_a_nan_is_looked_into(tmp_path: Path) -> None:
    ran = record_of(
        "import numpy as np\n"
        "x = np.array([4.0, 0.0, 9.0])\n"
        "y = (x - 4) * np.float16(60000)\n"
        "z = (y * 0) / (x * 0)\n"
        "h = np.full(3, 60000, np.float16) * np.float16(2)\n",
        tmp_path,
    )
    born = ran.only("div")
    assert born.probes["index"] == [0]
    assert born.probes["input other"] == 0.0
    over = list(ran.record.operations("mul"))[-1]
    assert over.probes["float64"]["largest"] == 120000.0
    assert over.output is not None and over.output.statistics is not None
    assert over.output.statistics.positive_infinity == 3


def test_a_masked_array_hides_what_it_hides(tmp_path: Path) -> None:
    ran = record_of(
        "import numpy as np\n"
        "m = np.ma.masked_invalid([1.0, np.nan, 4.0])\n"
        "print(np.sqrt(m * 2).sum(), np.log(m - 5))\n",
        tmp_path,
    )
    assert not list(ran.record.operations(nonfinite=True))


def test_functions_for_a_compiler_are_left_alone(tmp_path: Path) -> None:
    ran = record_of(
        "import numpy as np\n"
        "def njit(f):\n"
        "    return f\n"
        "@njit\n"
        "def compiled(x):\n"
        "    return np.exp(x) + 1\n"
        "def own(x):\n"
        "    return np.log(x) + 1\n"
        "own(compiled(np.ones(2)))\n",
        tmp_path,
    )
    assert not list(ran.record.operations("exp"))
    assert ran.lines("log") == [8]


def test_a_nan_deep_in_a_loop_that_is_sampled_is_found(tmp_path: Path) -> None:
    text = (
        "import numpy as np\n"
        "x = 1.0\n"
        "values = np.linspace(1, 0, 30001)\n"
        "for i in range(30001):\n"
        "    y = values[i] * 2\n"
        "    z = np.log(y)\n"
    )
    ran = record_of(text, tmp_path, "--budget", "1%")
    born = [each for each in ran.record.operations("log") if each.outputs[0].nonfinite]
    assert [each.step for each in born] == [ran.record.steps()[-1].id]
    assert born[0].inputs[0].statistics is not None
    assert born[0].inputs[0].statistics.maximum == 0.0


def test_the_record_of_a_long_loop_stays_small(tmp_path: Path) -> None:
    text = (
        "import numpy as np\n"
        "x, total = np.float64(0.5), 0.0\n"
        "for i in range(200_000):\n"
        "    total += x * i\n"
        "print(total)\n"
    )
    ran = record_of(text, tmp_path, "--budget", "1%")
    assert ran.stdout == f"{0.5 * sum(range(200_000))}\n"
    assert ran.record.path.stat().st_size < 10_000_000
    assert len(ran.record.steps()) < 10_000


ENDLESS = """\
import numpy as np, itertools
x = np.ones(4)
for i in itertools.count():
    x = np.cos(x) * 1.5
    if i == 300:
        print("running", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_record_survives_what_ends_its_program(tmp_path: Path, how: signal.Signals) -> None:
    script, file = tmp_path / "endless.py", tmp_path / "endless.wellposed"
    script.write_text(ENDLESS)
    command = [sys.executable, "-m", "wellposed", "run", "--quiet", "-o", str(file), str(script)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "running\n"
        time.sleep(1.5)  # rows are committed once a second
        process.send_signal(how)
        told = process.stderr.read()
    assert process.returncode == -how
    with Record(file) as record:
        assert len(record.steps()) > 100
        assert list(record.operations("cos"))
    if how == signal.SIGINT:
        assert "KeyboardInterrupt" in told
        assert "wellposed" not in told
