"""Runs the text of a program under a recording, in this process, and asks for its diagnosis.

GIVEN  ran = run_program(text, tmp_path)
THEN   ran.diagnosis.verdict, ran.roots, ran.namespace["loss"], ran.line_of("the text on a line")
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from wellposed.capture.recording import Options, Recording
from wellposed.cli.run import SHADOW_SECONDS
from wellposed.diagnosis import Diagnosis, diagnose
from wellposed.findings import Finding
from wellposed.record import Record

SCRIPT = "program.py"
IN_SHADOW = Options(budget=None, shadow_seconds=SHADOW_SECONDS)
"""Everything in full, and the first steps beside a shadow of higher precision, as `wellposed run` does."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that was run, what was recorded of it and what is said about it."""

    text: str
    record: Record
    diagnosis: Diagnosis
    namespace: dict[str, Any]
    error: BaseException | None

    @property
    def roots(self) -> tuple[Finding, ...]:
        return self.diagnosis.roots

    @property
    def rules(self) -> list[str]:
        """Names of the rules that found something, in the diagnosis' order."""
        return [finding.rule for finding in self.diagnosis.findings]

    @property
    def root_rules(self) -> list[str]:
        return [finding.rule for finding in self.roots]

    @property
    def root_lines(self) -> list[int | None]:
        return [finding.where.line for finding in self.roots]

    def line_of(self, mark: str) -> int:
        """The number of the only line that holds `mark`."""
        found = [number for number, line in enumerate(self.text.splitlines(), 1) if mark in line]
        assert len(found) == 1, f"{mark!r} stands on the lines {found}"
        return found[0]

    def told(self) -> str:
        """The findings, one a line, for a failing test's message."""
        lines = [
            f"{each.role} {each.rule} ({each.cause}) line {each.where.line} {each.where.phase}: {each.message}"
            for each in self.diagnosis.findings
        ]
        return "\n".join(["", self.text, *(lines or ["nothing found"]), f"error: {self.error!r}"])


def run_program(text: str, folder: Path, options: Options | None = None) -> Ran:
    """Run the program (dedented) as ``__main__`` of its own namespace; an exception it raises is kept, not passed on.

    Random numbers start from seed 0. Everything is recorded in full unless `options` say otherwise.
    """
    text = textwrap.dedent(text).lstrip("\n")
    script = folder / SCRIPT
    script.write_text(text, encoding="utf-8")
    recording = Recording(
        folder / "program.wellposed",
        options or Options(budget=None),
        {"argv": [SCRIPT], "script": str(script), "folder": str(folder)},
        force=True,
    )
    namespace: dict[str, Any] = {"__name__": "__main__", "__file__": str(script)}
    error: BaseException | None = None
    code = compile(text, str(script), "exec")
    torch.manual_seed(0)
    if "import torch" in text:
        recording.start()
    else:
        code = recording.instrument_numpy()(text.encode(), str(script)) or code
    try:
        exec(code, namespace)
    except Exception as raised:
        error = raised
    finally:
        recording.stop(1 if error else 0, repr(error) if error else None)
    record = Record(recording.path)
    return Ran(text, record, diagnose(record), namespace, error)
