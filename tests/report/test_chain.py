"""The causal chain as boxes: who stands below whom, where arrows branch, what is left to words."""

from __future__ import annotations

from wellposed.report.chain import LANES, Link, unfold


def links(*after, steps=None):
    """A root and its consequences; `after` gives the ids that each follows from, the root's being 1."""
    every = [(), *after]
    return [
        Link(n, causes, (steps or range(99))[n - 1], "", f"train.py:{n}", f"What {n}.", f"rule-{n}", "error", "")
        for n, causes in enumerate(every, 1)
    ]


def layout(found):
    return [(box.number, box.lane, box.enters, box.passing) for box in found.boxes]


def test_a_chain_runs_straight_down():
    found = unfold(links((1,), (2,), (3,)))

    assert layout(found) == [(1, 0, None, ()), (2, 0, 0, ()), (3, 0, 0, ()), (4, 0, 0, ())]
    assert [box.after for box in found.boxes] == [(), (), (), ()]
    assert found.summary == "rule-1 (step 0) → rule-2 (step 1) → rule-3 (step 2) → rule-4 (step 3)"


def test_a_step_is_said_once_and_long_chains_in_short():
    found = unfold(links((1,), (2,), (3,), (4,), (5,), (6,), steps=[0, 0, 0, 7, 7, 7, 9]))

    assert found.summary == "rule-1 (step 0) → rule-2 → rule-3 → rule-4 (step 7) → … → rule-7 (step 9)"


def test_several_consequences_of_one_cause_branch_off():
    found = unfold(links((1,), (1,), (1,)))

    assert layout(found) == [(1, 0, None, ()), (2, 1, 0, (0,)), (3, 1, 0, (0,)), (4, 1, 0, ())]
    # The arrows of those that stand further away are told in words as well.
    assert [box.after for box in found.boxes] == [(), (), (1,), (1,)]
    assert found.summary == ""


def test_a_line_that_passes_is_never_covered():
    found = unfold(links((1,), (1,), (2,), (1,)))

    for box in found.boxes:
        assert all(lane < box.lane for lane in box.passing)
    assert found.boxes[3].enters == found.boxes[1].lane


def test_of_several_causes_the_latest_is_drawn_and_all_are_named():
    found = unfold(links((1,), (1, 2)))

    assert found.boxes[2].enters == found.boxes[1].lane
    assert found.boxes[2].after == (1, 2)


def test_causes_that_are_unknown_later_or_circular_are_the_roots():
    found = unfold(links((99,), (4,), (4,)))

    assert [box.enters for box in found.boxes[1:]] == [0, 0, 0]


def test_many_consequences_are_cut_and_deep_branches_kept_on_the_page():
    found = unfold(links(*[(1,)] * 40))
    assert (len(found.boxes), found.more) == (12, 29)

    pairs = [(max(1, n // 2),) for n in range(2, 14)]
    assert all(box.lane <= LANES for box in unfold(links(*pairs), most=13).boxes)
