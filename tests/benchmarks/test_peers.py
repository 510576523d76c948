"""The comparison with peers: what counts as an answer, and that the tables say it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from benchmarks.peers import document
from benchmarks.peers.adapters import PEERS, adapter, anomaly_mode, stabilityguard, trainscope, wellposed
from benchmarks.peers.judging import judge
from benchmarks.peers.labels import CAUSES, label_from_row, read_labels
from benchmarks.peers.messages import NOTE, Answer, Message, answer_from_json

ROW = {
    "file": "a.py",
    "kind": "faulty",
    "cause": "epsilon",
    "culprit_line": "13",
    "also_plausible": "division-by-small",
    "also_lines": "20; 24",
    "symptom": "NaN",
}
FAULTY = label_from_row(ROW)
SOUND = label_from_row(ROW | {"kind": "control", "cause": "healthy", "culprit_line": "", "also_lines": ""})
NAMES = {"tiny": ("epsilon",), "zero": ("division-by-small", "epsilon"), "data": ("bad-data",)}


def judged(*messages: Message, label=FAULTY, strict=False):
    return judge(label, Answer(messages), NAMES, strict=strict)


def test_silence_is_silence():
    judgement = judged()
    assert judgement.silent and not judgement.word


@pytest.mark.parametrize("kind", ["tiny", "zero"])
def test_the_cause_or_one_accepted_in_its_place_is_right(kind):
    assert judged(Message(kind, "…")).word == "cause"


def test_any_message_of_a_peer_may_name_the_cause_and_any_the_line():
    judgement = judged(Message("data", "…", line=14), Message("tiny", "…"))
    assert judgement.word == "cause, line"
    assert judgement.causes == ("bad-data", "epsilon")


def test_a_message_that_may_mean_several_causes_is_not_wrong_but_one_that_means_another_is():
    several = Message("zero", "…")
    assert judged(several).only
    assert not judged(several, Message("data", "…")).only
    assert not judged(Message("unknown", "…")).only


@pytest.mark.parametrize(("line", "right"), [(12, True), (14, True), (15, False), (24, True), (None, False)])
def test_a_line_may_be_one_off(line, right):
    assert judged(Message("unknown", "…", line=line)).line is right


def test_a_module_is_right_where_it_is_made_or_its_class_holds_the_line():
    assert judged(Message("unknown", "…", module="norm", module_lines=(3, 20))).word == "module"
    assert judged(Message("unknown", "…", module="norm", module_lines=(3, 30))).word == "alarm"


def test_strict_counts_only_the_verdict_and_the_lines_of_the_right_cause():
    assert judged(Message("data", "…"), Message("tiny", "…", line=2), strict=True).word == "alarm"
    assert not judged(Message("data", "…", line=13), Message("tiny", "…"), strict=True).line
    assert judged(Message("tiny", "…"), Message("zero", "…", line=13), strict=True).word == "cause, line"


def test_a_note_may_help_but_is_no_false_alarm():
    assert judged(Message("tiny", "…", NOTE)).word == "cause"
    assert not judged(Message("unknown", "…", NOTE)).alarm
    assert not judged(Message("tiny", "…", NOTE), label=SOUND).alarm
    assert judged(Message("tiny", "…"), label=SOUND).alarm


def test_every_adapter_maps_to_causes_that_exist_and_needs_no_peer_to_be_read():
    for peer in PEERS:
        named = {cause for causes in adapter(peer).CAUSES.values() for cause in causes}
        assert named <= CAUSES
        tree = ast.parse(Path(adapter(peer).__file__).read_text())
        roots = {node.module.split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom)}
        assert not roots & {"torch", "transformers", "torch_audit", "neuraldbg", "stabilityguard", "trainscope"}


def test_only_programs_of_the_compared_causes_that_import_torch_are_read(tmp_path):
    rows = {"a.py": "epsilon", "b.py": "python-overhead", "c.py": "epsilon"}
    header = "file,kind,cause,culprit_line,also_plausible,also_lines,symptom\n"
    (tmp_path / "labels.csv").write_text(header + "".join(f"{f},faulty,{c},3,,,\n" for f, c in rows.items()))
    for file in rows:
        (tmp_path / file).write_text("import numpy\n" if file == "c.py" else "from torch import nn\n")
    assert [label.file for label in read_labels(tmp_path)] == ["a.py"]


def test_anomaly_mode_names_the_innermost_line_of_the_program():
    printed = (
        "Error detected in DivBackward0. Traceback of forward call that caused the error:\n"
        '  File "/x/a.py", line 30, in <module>\n  File "/x/a.py", line 12, in loss\n'
        '  File "/torch/functional.py", line 9, in f\n'
        'Traceback (most recent call last):\n  File "/x/a.py", line 31, in <module>\n'
    )
    raised = "Function 'DivBackward0' returned nan values in its 1th output."
    (message,) = anomaly_mode.messages(raised, printed, "/x/a.py")
    assert (message.kind, message.line) == ("Div", 12)
    assert not list(anomaly_mode.messages("mat1 and mat2 shapes cannot be multiplied", printed, "/x/a.py"))


def test_stabilityguard_tells_a_spike_from_gradients_that_are_not_finite():
    class Nowhere:
        def lines_of(self, name):
            return ()

    box = (
        "SPIKE DETECTED @ step {}\n║  Trigger layer  : fc.weight\n║  Grad norm      : 9.0  (baseline: 1.0, ratio: {})\n"
    )
    printed = box.format(4, "9.0x") + box.format(5, "8.0x") + box.format(6, "NaN/Inf")
    messages = stabilityguard.messages(printed, Nowhere())
    assert [(m.kind, m.module) for m in messages] == [("spike", "fc.weight"), ("nan", "fc.weight")]
    assert "step 4" in messages[0].text


def test_trainscope_is_silent_on_a_stable_run():
    assert not list(trainscope.messages("## Signal signature\n- No early-warning signal fired (stable run).\n"))
    report = "- Fired signals: loss\n  - loss crossed at step 40\n\n## Spikes\n- Spike steps: 40, 41\n"
    assert [message.kind for message in trainscope.messages(report)] == ["loss", "spike"]


def wellposed_json(*findings, operations=9):
    return {"program": {"error": None}, "run": {"operations": operations}, "findings": list(findings)}


def test_wellposed_is_judged_by_its_roots_alone():
    where = {"line": 13, "module": ""}
    root = {"role": "root", "cause": "epsilon", "rule": "r", "message": "m", "where": where}
    answer = wellposed.read(wellposed_json(root, root | {"role": "advice", "cause": "bad-data"}), 1.0, "")
    assert [(m.kind, m.line) for m in answer.messages] == [("epsilon", 13)]


def test_a_run_of_wellposed_that_recorded_nothing_is_no_clean_bill_of_health():
    assert "nothing was recorded" in wellposed.read(wellposed_json(operations=0), 1.0, "ImportError").ended


def test_answers_survive_the_results_file():
    answer = Answer((Message("k", "t", NOTE, 3, "m", (1, 2)),), attached=False, ended="E", seconds=1.5, output="o")
    assert answer_from_json(answer.to_json()) == answer


@pytest.fixture
def page(tmp_path):
    file = tmp_path / "comparison.md"
    file.write_text(f"by hand\n{document.BEGIN}\nold\n{document.END}\nalso by hand\n")
    return file


def test_the_document_keeps_what_is_written_by_hand(page):
    said = Answer((Message("Div", "Function 'DivBackward0' | nan", line=13),)).to_json()
    results = {"anomaly_mode": {"version": "2", "programs": {"a.py": said}}}
    document.update(page, [FAULTY], results)
    document.update(page, [FAULTY], results)
    text = page.read_text()
    assert text.startswith("by hand\n") and text.endswith("also by hand\n") and "old" not in text
    assert "| a | NaN | epsilon | cause, line |" in text


def test_programs_that_have_not_run_are_told_and_not_taken_for_silence(page):
    document.update(page, [FAULTY, SOUND], {"anomaly_mode": {"version": "2", "programs": {}}})
    assert "(2 programs not run yet)" in page.read_text()


def test_a_document_without_markers_is_left_alone(page):
    page.write_text("by hand\n")
    with pytest.raises(ValueError, match="lacks the lines"):
        document.update(page, [FAULTY], {})
    assert page.read_text() == "by hand\n"
