"""The detectors of early warnings, by series made by hand and by properties that hold for any series."""

from __future__ import annotations

import importlib
import math
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellposed.signals import BY_NAME, QUANTITIES, SIGNALS, Panel, check_names, first_crossing


def crossed_at(name, values):
    found = first_crossing(BY_NAME[name], enumerate(values))
    return found[0] if found else None


def noisy(count, level=1.0, spread=0.1, seed=0):
    draw = random.Random(seed)
    return [level * math.exp(spread * draw.gauss(0, 1)) for _ in range(count)]


FIRES = {
    "nonfinite-gradient": ([0, 0, 3], 2),
    "loss-divergence": ([2.0] * 10 + [0.5] * 20 + [1.5 * 1.5**k for k in range(10)], 32),
    "loss-spike": ([*noisy(60), 5.0], 60),
    "gradient-spike": ([*noisy(60), 40.0], 60),
    "gradient-growth": ([1.3**k for k in range(20)], 11),
    "adam-ratio": ([*noisy(20), 5.0, 5.0], 21),
    "gradient-below-epsilon": ([*[1e3 * 0.5**k for k in range(10)], *[0.5] * 30], 29),
    "update-ratio": ([*[1e-2] * 5, *[0.2] * 10], 12),
    "sharpness": ([0.3, 0.3, 0.3, 0.3, 0.5, 1.5, 1.5, 1.5, 1.5, 1.5], 7),
    "attention-logits": ([5.0, 40.0, 150.0], 2),
    "attention-collapse": ([20.0, 5.0, 1.01, 1.01], 3),
    "log-partition-drift": ([4.0, -10.0, -20.0], 2),
    "loss-scale-fall": ([1024.0] * 12 + [512.0, 256.0, 128.0, 64.0], 15),
}

SILENT = {
    "nonfinite-gradient": [0] * 5,
    "loss-divergence": [1e-7 * (1 + k % 3) if k > 50 else math.exp(-k / 3) for k in range(200)],
    "loss-spike": noisy(300),
    "gradient-spike": noisy(300, spread=0.3),
    "gradient-growth": [1.1**k for k in range(20)],
    "adam-ratio": noisy(300, level=5.0),
    "gradient-below-epsilon": [0.0] * 50,
    "update-ratio": [0.5 * 0.5**k for k in range(20)],
    "sharpness": [0.2, 1.1] * 25,
    "attention-logits": noisy(50, level=30.0),
    "attention-collapse": [1.0] * 50,
    "log-partition-drift": [4.0 + k % 10 for k in range(50)],
    "loss-scale-fall": [65536.0 / 2**k for k in range(9)] + [256.0] * 20 + [512.0] * 20 + [256.0],
}


@pytest.mark.parametrize("name", FIRES)
def test_it_warns_where_the_threshold_is_crossed(name):
    values, step = FIRES[name]
    assert crossed_at(name, values) == step


@pytest.mark.parametrize("name", SILENT)
def test_it_is_silent_on_a_series_that_is_well(name):
    assert crossed_at(name, SILENT[name]) is None


def test_there_is_an_example_of_each():
    assert set(FIRES) == set(SILENT) == set(BY_NAME)
    assert len(BY_NAME) == len(SIGNALS)


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda each: each.name)
def test_the_file_is_named_after_the_signal(signal):
    module = importlib.import_module(f"wellposed.signals.{signal.name.replace('-', '_')}")
    assert module.SIGNAL is signal
    assert signal.quantity in QUANTITIES
    assert signal.source and signal.threshold and re.fullmatch(r"[^.]+", signal.precedes)


def test_an_embedding_lives_above_the_paper_s_threshold_and_still_warns():
    assert crossed_at("adam-ratio", [*noisy(20, level=5.0), 30.0, 30.0]) == 21


def test_a_small_scale_of_the_loss_is_told_at_once():
    assert crossed_at("loss-scale-fall", [2.0, 1.0, 0.5]) == 2


def test_an_update_ten_times_its_weights_is_told_at_once():
    assert crossed_at("update-ratio", [0.01, 12.0]) == 1


any_float = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(any_float, max_size=80))
def test_no_series_breaks_a_detector(values):
    for signal in SIGNALS:
        detector = signal.detector()
        for value in values:
            found = detector.see(value)
            assert found is None or (len(found.history) <= 8 and found.excess >= 1.0)


@given(st.lists(st.floats(0.1, 10), min_size=40, max_size=120), st.sampled_from([1e-12, 1e-3, 1e6]))
def test_what_is_relative_does_not_depend_on_the_unit(values, unit):
    for name in ("loss-divergence", "gradient-growth"):
        assert crossed_at(name, values) == crossed_at(name, [unit * each for each in values])


@given(st.floats(1e-6, 1e6), st.integers(1, 200))
def test_what_stays_the_same_is_no_news(value, count):
    steady = [name for name in BY_NAME if name not in ("nonfinite-gradient", "attention-logits", "sharpness")]
    for name in steady:
        if QUANTITIES[BY_NAME[name].quantity].meaning.startswith("of a parameter") or name == "loss-scale-fall":
            continue
        assert crossed_at(name, [value] * count) is None


# --- the panel ----------------------------------------------------------------------------------------------------


def told(panel, quantity, values, where=""):
    found = [each for step, value in enumerate(values) for each in panel.see(quantity, step, value, where)]
    return [each for each in found if panel.is_news(each)]


def test_a_signal_is_told_once_and_again_when_it_is_much_worse():
    found = told(Panel(), "attention_logit", [150, 160, 200, 1e3, 3e3, 4e3, 1e9, 1e30])
    assert [each.value for each in found] == [150, 3e3, 1e9]


def test_places_have_histories_of_their_own_and_one_voice():
    panel = Panel()
    first = told(panel, "attention_logit", [5, 500], "block.0")
    second = told(panel, "attention_logit", [5, 500], "block.1")
    assert [each.where for each in first] == ["block.0"] and not second
    assert "block.0" in first[0].message and str(first[0]) == first[0].message


def test_what_a_warning_holds():
    (found,) = told(Panel(), "gradient_nonfinite", [0, 7])
    assert (found.signal, found.step, found.value, found.threshold) == ("nonfinite-gradient", 1, 7, 0)
    assert found.history == (0, 7)
    with pytest.raises(AttributeError):
        found.value = 0


def test_nan_is_told_in_words():
    (found,) = told(Panel(), "loss", [*[1.0] * 8, math.nan])
    assert "is nan, where 2 is the limit" in found.message


def test_names_are_checked():
    assert check_names("any") == ("any",)
    assert check_names(["loss-spike", "adam-ratio"]) == ("loss-spike", "adam-ratio")
    with pytest.raises(ValueError, match="did you mean 'nonfinite-gradient'"):
        check_names(["nonfinite_gradients"])
    with pytest.raises(ValueError, match="there are nonfinite-gradient, loss-divergence"):
        check_names("weather")


def test_before_the_update_or_after_it():
    assert BY_NAME["nonfinite-gradient"].before_update and BY_NAME["adam-ratio"].before_update
    assert not BY_NAME["update-ratio"].before_update
