"""The labelled programs: a folder with `labels.csv` (file, kind, cause, culprit_line, also_plausible, also_lines)."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

CAUSES = frozenset({
    "exploding-gradient", "vanishing-gradient", "bad-init", "saturation", "dead-relu", "division-by-small",
    "unstable-function", "learning-rate", "float16-range", "low-precision-update", "missing-normalisation", "epsilon",
    "bad-data",
})  # fmt: skip
"""The causes that are compared; faulty programs of other causes (products in the wrong order, Python's own cost,
sums that lose digits) are left out, because no peer speaks of them."""

_IMPORTS_TORCH = re.compile(r"^\s*(import|from) torch\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of one program."""

    file: str
    kind: str
    cause: str
    causes: frozenset[str]
    """The cause and those that are accepted in its place."""
    lines: frozenset[int]
    symptom: str

    @property
    def faulty(self) -> bool:
        return self.kind == "faulty"


def parts(cell: str | None) -> list[str]:
    return [part.strip() for part in re.split("[;,]", cell or "") if part.strip()]


def label_from_row(row: dict[str, str]) -> Label:
    return Label(
        file=row["file"],
        kind=row["kind"],
        cause=row["cause"],
        causes=frozenset({row["cause"], *parts(row.get("also_plausible"))}),
        lines=frozenset(int(n) for n in parts(row.get("culprit_line")) + parts(row.get("also_lines"))),
        symptom=row.get("symptom", ""),
    )


def read_labels(folder: Path) -> list[Label]:
    """The PyTorch programs of `folder` that are compared; raises FileNotFoundError without a `labels.csv`."""
    with (folder / "labels.csv").open(newline="") as file:
        labels = [label_from_row(row) for row in csv.DictReader(file)]
    return [
        label
        for label in labels
        if (not label.faulty or label.cause in CAUSES) and _IMPORTS_TORCH.search((folder / label.file).read_text())
    ]
