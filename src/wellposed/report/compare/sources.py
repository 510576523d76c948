"""The user's files of both runs: which is which, what was edited, and which line of one is which of the other."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from wellposed.record import Record, Site
from wellposed.report.compare.model import SourceDifference

_LONGEST_EDIT = 2_000
"""Lines of an edited stretch that are compared one by one; a longer one counts as written anew."""
_CONTEXT = 2
_MOST_LINES = 200
_LONGEST_LINE = 1_000
_MOST_FILES = 50

Opcode = tuple[str, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Sources:
    differences: tuple[SourceDifference, ...]
    files: dict[str, str]
    """B's name of A's file."""
    lines: dict[str, dict[int, int]]
    """Of A's file, where it was edited: B's line of A's line, for those that have one."""

    def in_b(self, file: str, line: int) -> tuple[str, int | None]:
        """Where this place of A is in B; the line is None where it was deleted."""
        lines = self.lines.get(file)
        return self.files.get(file, file), line if lines is None else lines.get(line)

    def key_in_b(self, site: Site | None) -> tuple[str, int] | None:
        """A's place as B has it; one that B has not is equal to none of B's."""
        if site is None:
            return None
        file, line = self.in_b(site.file, site.line)
        return file, -site.line - 1 if line is None else line


def compare_sources(a: Record, b: Record) -> Sources:
    """Raises RecordError where a record is damaged."""
    files_a, files_b = a.source_files()[:_MOST_FILES], b.source_files()[:_MOST_FILES]
    files = _same_files(files_a, files_b, _script(a), _script(b))
    differences: list[SourceDifference] = []
    lines: dict[str, dict[int, int]] = {}
    for file, other in files.items():
        text_a, text_b = (a.source(file) or "").splitlines(), (b.source(other) or "").splitlines()
        if text_a != text_b:
            opcodes = _opcodes(text_a, text_b)
            lines[file] = _line_map(opcodes)
            diff = list(_diff(opcodes, text_a, text_b))
            differences.append(SourceDifference(file, other, tuple(diff[:_MOST_LINES]), len(diff[_MOST_LINES:])))
    differences += [SourceDifference(file, None, (), 0) for file in files_a if file not in files]
    known = set(files.values())
    differences += [SourceDifference(None, file, (), 0) for file in files_b if file not in known]
    return Sources(tuple(differences), files, lines)


def _script(record: Record) -> str:
    script, folder = str(record.meta.get("script", "")), record.program.folder
    return script.removeprefix(folder + "/") if folder else script


def _same_files(a: Sequence[str], b: Sequence[str], script_a: str, script_b: str) -> dict[str, str]:
    """Pairs by name, then by the last part of the name, then the two scripts."""
    pairs = {file: file for file in a if file in set(b)}
    keys: tuple[tuple[Callable[[str], object], Callable[[str], object]], ...] = (
        (lambda file: PurePosixPath(file).name, lambda file: PurePosixPath(file).name),
        (lambda file: file == script_a or file, lambda file: file == script_b or file),
    )
    for key_a, key_b in keys:
        taken = set(pairs.values())
        waiting: dict[object, list[str]] = {}
        for file in b:
            if file not in taken:
                waiting.setdefault(key_b(file), []).append(file)
        for file in a:
            if file not in pairs and len(waiting.get(key_a(file), ())) == 1:
                pairs[file] = waiting.pop(key_a(file))[0]
    return pairs


def _opcodes(a: Sequence[str], b: Sequence[str]) -> list[Opcode]:
    """What difflib's matcher says of the edited middle; both ends that are the same are not its business."""
    most = min(len(a), len(b))
    start = next((n for n in range(most) if a[n] != b[n]), most)
    end = next((n for n in range(most - start) if a[-1 - n] != b[-1 - n]), most - start)
    middle_a, middle_b = a[start : len(a) - end], b[start : len(b) - end]
    if max(len(middle_a), len(middle_b)) > _LONGEST_EDIT:
        middle: list[Opcode] = [("replace", 0, len(middle_a), 0, len(middle_b))]
    else:
        middle = difflib.SequenceMatcher(None, middle_a, middle_b, autojunk=True).get_opcodes()  # type: ignore[assignment]
    shifted = [(tag, i + start, k + start, j + start, m + start) for tag, i, k, j, m in middle]
    last: list[Opcode] = [("equal", len(a) - end, len(a), len(b) - end, len(b))]
    return [("equal", 0, start, 0, start), *shifted, *last]


def _line_map(opcodes: Sequence[Opcode]) -> dict[int, int]:
    """Lines count from 1. A line that was written anew is the one at the same place in what replaced it."""
    return {
        n + 1: m + 1
        for tag, i, k, j, end in opcodes
        if tag in ("equal", "replace")
        for n, m in zip(range(i, k), range(j, end), strict=False)
    }


def _diff(opcodes: Sequence[Opcode], a: Sequence[str], b: Sequence[str]) -> Iterator[str]:
    """The hunks of a unified diff: what changed with a little of what stands around it."""
    for n, (tag, i, k, j, m) in enumerate(opcodes):
        if tag != "equal":
            yield from (f"-{line[:_LONGEST_LINE]}" for line in a[i:k])
            yield from (f"+{line[:_LONGEST_LINE]}" for line in b[j:m])
            continue
        before = min(_CONTEXT, k - i) if n else 0
        after = min(_CONTEXT, k - i - before) if n + 1 < len(opcodes) else 0
        yield from (f" {line[:_LONGEST_LINE]}" for line in a[i : i + before])
        if (after and i + before < k - after) or (not n and k - after > 0):
            yield f"@@ -{k - after + 1} +{m - after + 1} @@"
        yield from (f" {line[:_LONGEST_LINE]}" for line in a[k - after : k])
