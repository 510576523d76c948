"""Two runs side by side: what differs first, and where. Data first (`model`), words from it (`account`), then rendered.

`compare.terminal` (rich) and `compare.page` (Jinja2) are imported where they are needed.
"""

from wellposed.report.compare.account import Account, make_account
from wellposed.report.compare.comparison import compare
from wellposed.report.compare.json_contract import to_json, to_json_text
from wellposed.report.compare.model import Comparison

__all__ = ["Account", "Comparison", "compare", "make_account", "to_json", "to_json_text"]
