"""The signal over depth: profiles, the factor per layer, and runs that have none."""

from __future__ import annotations

import math

import pytest

from tests.records import RecordBuilder, columns, statistics
from wellposed.record import Record
from wellposed.report.geometric import growth, steady, told
from wellposed.report.propagation import propagation

ENDS = "the first layer", "the last"


def network(path, *, forward=2.0, backward=0.5, layers=8, steps=(0, 5, 9), broken=()):
    """A stack of linear layers with activations between them: outputs grow by `forward`, gradients by `backward`."""
    with RecordBuilder(path) as record:
        weights = [record.parameter(f"Net.{2 * n}.weight", (16, 16)) for n in range(layers)]
        biases = [record.parameter(f"Net.{2 * n}.bias", (16,)) for n in range(layers)]
        for step in steps:
            bad = step in broken
            record.step(step, "full", gradient_nonfinite=int(bad))
            for n in range(layers):
                rms = math.nan if bad else forward**n
                for module, scale in ((f"Net.{2 * n}", 1.0), (f"Net.{2 * n + 1}", 0.5)):
                    made = statistics(rms=rms * scale, mean=0.1, nan=100 * bad)
                    record.operation("aten.mm.default", step=step, module=module, output=made)
                # Backwards: the last layer's gradient is the first that is computed.
                record.gradient(step, weights[n], statistics(rms=backward ** (layers - 1 - n), nan=int(bad)))
                record.gradient(step, biases[n], statistics())
            record.operation("aten.nll.default", step=step, module="Loss", shape=(), output=statistics(1, rms=3.0))
    return Record(path)


def test_there_and_back_at_the_first_and_a_late_step(tmp_path):
    there, back = propagation(network(tmp_path / "a.wellposed"))

    assert (there["direction"], back["direction"]) == ("forward", "backward")
    assert there["rows"] == [f"Net.{n}" for n in range(16)]  # in order of execution, and no loss
    assert back["rows"] == [f"Net.{2 * n}.weight" for n in range(8)]
    assert [profile["step"] for profile in there["profiles"]] == [0, 9]
    first = there["profiles"][0]
    assert first["rms"][:4] == [1.0, 0.5, 2.0, 1.0]
    assert (first["mean"][0], first["deviation"][2]) == (0.1, 2.0)


def test_steady_growth_has_its_factor_predicted_and_measured(tmp_path):
    there, back = propagation(network(tmp_path / "a.wellposed"))

    assert there["readings"][0] == (
        "Step 0: each layer with weights multiplies the rms by 2: 2⁷ = 128 predicted, 128 measured."
    )
    assert (
        back["readings"][1]
        == "Step 9: each layer back multiplies the rms by 0.5: 0.5⁷ = 0.00781 predicted, 0.00781 measured."
    )
    # The line is drawn at the layers that it was fitted to.
    assert there["profiles"][0]["fitted"][:3] == [1.0, None, 2.0]
    assert back["profiles"][0]["fitted"][0] == pytest.approx(0.5**7, rel=1e-2)


def test_what_stays_the_same_is_told_so_without_a_line(tmp_path):
    there, _ = propagation(network(tmp_path / "a.wellposed", forward=1.05))

    assert there["readings"][0] == "Step 0: the rms stays within a factor of 1.41."
    assert set(there["profiles"][0]["fitted"]) == {None}


def test_the_late_step_is_the_last_that_is_finite(tmp_path):
    there, back = propagation(network(tmp_path / "a.wellposed", broken=(9,)))

    assert [profile["step"] for profile in there["profiles"]] == [0, 5]
    assert [profile["step"] for profile in back["profiles"]] == [0, 5]


def test_a_run_that_breaks_at_once_shows_where(tmp_path):
    there, _ = propagation(network(tmp_path / "a.wellposed", broken=(0, 5, 9)))

    assert set(there["profiles"][0]["rms"]) == {"x"}
    assert there["readings"] == ["Step 0: the rms is zero or not finite everywhere."]


def test_many_layers_are_thinned_to_those_with_weights(tmp_path):
    there, back = propagation(network(tmp_path / "a.wellposed", layers=60, forward=1.1, steps=(0,)))

    assert (len(there["rows"]), there["all_rows"]) == (50, 120)
    assert all(int(row.split(".")[1]) % 2 == 0 for row in there["rows"])
    assert (len(back["rows"]), back["all_rows"]) == (50, 60)


def test_a_network_without_modules_is_told_by_its_lines(tmp_path):
    with RecordBuilder(tmp_path / "a.wellposed") as record:
        for step in (0, 4):
            record.step(step)
            made = record.operation("aten.randn.default", step=step, line=1, output=statistics())
            for n in range(5):
                grown = statistics(rms=3.0**n)
                made = record.operation("aten.mm.default", step=step, line=7, inputs=[made], output=grown)
    (there,) = propagation(Record(tmp_path / "a.wellposed"))

    assert there["rows"] == ["mm train.py:7", *(f"mm train.py:7 ({n})" for n in range(2, 6))]
    assert "each layer multiplies the rms by 3: 3⁴ = 81 predicted, 81 measured" in there["readings"][0]


def test_gradients_follow_the_order_of_execution(tmp_path):
    with RecordBuilder(tmp_path / "a.wellposed") as record:
        record.step(0)
        for name in ("Net.head", "Net.stem", "Net.body"):
            record.gradient(0, record.parameter(f"{name}.weight"), statistics())
        for name in ("Net.stem", "Net.body", "Net.head"):
            record.operation("aten.mm.default", module=name, output=statistics())
    _, back = propagation(Record(tmp_path / "a.wellposed"))

    assert back["rows"] == ["Net.stem.weight", "Net.body.weight", "Net.head.weight"]


def test_outputs_of_modules_alone_are_enough(tmp_path):
    with RecordBuilder(tmp_path / "a.wellposed") as record:
        record.step(0, "modules")
        record.writer.add("module", [(n, f"Net.{n}", None, None) for n in range(4)])
        record.writer.add("module_step", [(0, n, *columns(statistics(rms=4.0**n))) for n in range(4)])
    (there,) = propagation(Record(tmp_path / "a.wellposed"))

    assert there["profiles"][0]["rms"] == [1.0, 4.0, 16.0, 64.0]


@pytest.mark.parametrize("layers", [0, 1])
def test_one_layer_has_no_depth(tmp_path, layers):
    assert propagation(network(tmp_path / "a.wellposed", layers=layers)) == []


def test_a_fit_says_how_far_it_agrees():
    found = growth([1.0, 2.0, 4.0, 8.0, 16.0])

    assert found.factor == pytest.approx(2.0)
    assert found.predicted == pytest.approx(16.0)
    assert found.agreement == pytest.approx(1.0)
    assert growth([1.0, 2.0, 4.0]) is None
    assert growth([1.0, 0.0, 4.0, 8.0]) is None
    assert growth([1.0, math.inf, 4.0, 8.0]) is None
    assert steady([1.0, 100.0, 1.0, 100.0, 1.0]) is None
    assert growth([1e300, 1e-300] * 3) is not None
    assert math.isfinite(growth([10.0 ** (60 * n) for n in range(-5, 6)]).predicted) is False


def test_what_no_factor_describes_is_told_by_its_ends():
    assert told([1.0, 50.0, 0.1, 20.0], "the rms", "each layer", ENDS) == (
        "the rms goes from 1 in the first layer to 20 in the last, between 0.1 and 50"
    )
    assert told([1.0, 0.0, math.inf, 20.0], "the rms", "each layer", ENDS) == (
        "the rms lies between 1 and 20; zero in 1 and not finite in 1 of 4"
    )
