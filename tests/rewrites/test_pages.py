"""What users read: the page of an entry, the list, and docs/rewrites.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellposed.cli import main
from wellposed.report.rewrite_table import markdown
from wellposed.rewrites import all_rewrites

DOCUMENT = Path(__file__).parents[2] / "docs" / "rewrites.md"


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text("utf-8") == markdown(all_rewrites()), (
        "python -m wellposed.report.rewrite_table > docs/rewrites.md"
    )


def test_a_page_tells_when_and_what_instead(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "log1mexp"]) == 0
    shown = capsys.readouterr().out
    assert all(words in shown for words in ("torch.log1p(-torch.exp(", "float32", "digits lost there", "Mächler"))


@pytest.mark.parametrize("name", [rewrite.name for rewrite in all_rewrites()])
def test_every_entry_has_a_page(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", name]) == 0
    assert "The stable form" in capsys.readouterr().out


def test_the_list_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--rewrites"]) == 0
    shown = capsys.readouterr().out
    assert all(rewrite.name in shown for rewrite in all_rewrites())


def test_the_list_can_be_narrowed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--rewrites", "variance"]) == 0
    shown = capsys.readouterr().out
    assert "variance-by-moments" in shown and "log-of-softmax" not in shown


@pytest.mark.parametrize("arguments", [["log1mexpp"], ["--rewrites", "log1mexpp"]])
def test_an_unknown_name_suggests(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *arguments]) == 2
    told = capsys.readouterr().err
    assert "log1mexp" in told.replace("log1mexpp", "") and told.count("\n") == 1
