"""Tells a run: on the terminal, as JSON, as one page. Knows findings, diagnosis and record.

Every report is made from a sequence of (record, diagnosis) pairs: one for an ordinary run, one a rank for a
distributed one. `report.terminal` (rich) and `report.html` (Jinja2) are imported where they are needed.
"""

from wellposed.report.json_contract import to_json, to_json_text
from wellposed.report.merge import Facts, Runs, Told, facts, merge
from wellposed.report.story import Story, make_story

__all__ = ["Facts", "Runs", "Story", "Told", "facts", "make_story", "merge", "to_json", "to_json_text"]
