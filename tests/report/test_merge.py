"""Several records as one run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.report.conftest import broken_diagnosis, write_healthy
from wellposed.diagnosis import Diagnosis
from wellposed.findings import Finding, Location
from wellposed.record import Record
from wellposed.report import facts, merge


def test_one_record_is_left_as_its_diagnosis_has_it(broken):
    assert tuple(each.finding for each in merge(broken)) == broken[0][1].findings
    assert all(each.ranks == () for each in merge(broken))


def test_the_same_fault_on_both_ranks_is_told_once(ranks):
    told = merge(ranks)

    assert [each.finding.id for each in told] == [1, 2, 3, 4, 5]
    assert [each.finding.caused_by for each in told] == [(), (1,), (2,), (3,), ()]
    assert {each.ranks for each in told} == {(0, 1)}


def test_the_rank_that_saw_it_first_tells_it(ranks):
    (first, diagnosis), (second, _) = ranks
    earlier = Diagnosis(tuple(replace(each, step=3) for each in diagnosis.findings))

    told = merge([(first, diagnosis), (second, earlier)])

    assert told[0].finding.step == 3
    assert told[0].run == 1


def test_a_fault_of_one_rank_names_it_and_keeps_its_consequences(ranks):
    (first, diagnosis), (second, _) = ranks
    other = Finding("bad-batch", "N280", "bad-data", "error", Location("data.py", 7), "Rank 1 reads NaN.", 2, id=1)
    follows = replace(other, rule="nonfinite-loss", id=2, role="consequence", caused_by=(1,), step=3)

    told = merge([(first, diagnosis), (second, Diagnosis((other, follows)))])

    roots = {each.finding.rule: each.ranks for each in told if each.finding.role == "root"}
    assert roots == {"sqrt-at-zero": (0,), "bad-batch": (1,)}
    bad_batch = next(each.finding for each in told if each.finding.rule == "bad-batch")
    loss = next(each.finding for each in told if each.finding.rule == "nonfinite-loss" and each.ranks == (1,))
    assert loss.caused_by == (bad_batch.id,)


def test_ids_are_unique_and_causes_exist(ranks):
    told = merge(ranks)
    ids = [each.finding.id for each in told]

    assert len(set(ids)) == len(ids)
    assert {cause for each in told for cause in each.finding.caused_by} <= set(ids)


@pytest.mark.parametrize("failed", [0, 1])
def test_the_rank_that_failed_tells_how_the_program_ended(tmp_path, failed):
    runs = []
    for rank in range(2):
        error = {"exit_code": 1, "error": "RuntimeError: connection lost"} if rank == failed else {}
        path = write_healthy(tmp_path / f"{rank}.wellposed", rank=rank, wall_seconds=5.0 + rank, **error)
        runs.append((Record(path), broken_diagnosis()))

    about = facts(runs)

    assert about.exit_code == 1
    assert about.error == "RuntimeError: connection lost"
    assert about.wall_seconds == 6.0
    assert about.ranks == (0, 1)
