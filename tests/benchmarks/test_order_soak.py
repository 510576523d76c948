"""The soak of the planner: every kind of chain is tried, and a planner that is wrong is noticed."""

from __future__ import annotations

import pytest

from benchmarks import order_soak


def test_a_short_soak_finds_no_difference(capsys):
    assert order_soak.soak(chains=300, seed=3) == 0

    told = capsys.readouterr().out
    assert told.count("all equal\n") == len(order_soak.KINDS)


def test_a_planner_that_is_wrong_is_noticed(capsys, monkeypatch):
    right = order_soak._native.chain_order

    def off_by_one(dimensions):
        cost, packed = right(dimensions)
        return cost + (len(dimensions) == 5), packed

    monkeypatch.setattr(order_soak._native, "chain_order", off_by_one)

    assert order_soak.soak(chains=300, seed=3) == 1
    assert "Hu–Shing" in capsys.readouterr().out


def test_a_sequence_that_leaves_a_dimension_out_has_no_price():
    with pytest.raises(ValueError, match="each inner dimension once"):
        order_soak.price([2, 3, 4, 5], [1])
