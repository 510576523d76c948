"""Settings from pyproject.toml, and the texts that the command line shares with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellposed.settings import Settings, SettingsError, load_settings, parse_budget, parse_size


def test_defaults_where_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("this is no TOML, and not our business")
    assert load_settings(tmp_path) == Settings()


def test_the_nearest_file_above_the_program_holds(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.wellposed]\nbudget = '5%'\nmax-size = '2 GB'\nfail-on = 'warning'\ndisable = ['log-of-zero']\n"
    )
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert load_settings(deep) == Settings(0.05, 2 * 10**9, "warning", ("log-of-zero",))
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert load_settings(deep) == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.wellposed]\nmax_size = '1GB'\n", "has no setting 'max_size'; did you mean 'max-size'?"),
        ("[tool.wellposed]\nxyz = 1\n", "has no setting 'xyz'; there are budget, max-size, fail-on, disable"),
        ("[tool.wellposed]\nbudget = 25\n", "budget in [tool.wellposed]: expected a text, not 25"),
        ("[tool.wellposed]\nbudget = '25'\n", "a budget is a percentage such as 25%, or none; not '25'"),
        ("[tool.wellposed]\ndisable = 'log-of-zero'\n", "expected a list of rules' names, not 'log-of-zero'"),
        ("[tool.wellposed]\nfail-on = 'note'\n", "a severity to fail on is error or warning; not 'note'"),
        ("[tool]\nwellposed = 3\n", "tool.wellposed is no table"),
        ("[tool.wellposed\n", "is no valid TOML"),
    ],
)
def test_a_mistake_names_the_file_and_what_can_be_said(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path)
    assert str(tmp_path / "pyproject.toml") in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize(("text", "value"), [("25%", 0.25), ("0 %", 0.0), ("2.5%", 0.025), ("none", None)])
def test_budget(text: str, value: float | None) -> None:
    assert parse_budget(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("500MB", 500_000_000), ("1.5 GiB", 3 * 2**29), ("64kb", 64_000), ("4096", 4096), ("None", None)],
)
def test_size(text: str, value: int | None) -> None:
    assert parse_size(text) == value


@pytest.mark.parametrize("text", ["", "MB", "-5MB", "5 furlongs"])
def test_no_size(text: str) -> None:
    with pytest.raises(SettingsError, match="500MB"):
        parse_size(text)
