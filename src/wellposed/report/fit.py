"""What would become of a run in another format, as text and as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wellposed.advice.fit_model import Fit, LossScale, OperationFit, ParameterFit
from wellposed.advice.fit_outcome import Agreement, Check, Outcome, ScriptCheck, ScriptRun
from wellposed.advice.formats import Fate
from wellposed.findings import Location
from wellposed.report.terminal import render_blocks
from wellposed.report.text import counted, human, percent, plain

_MOST_ROWS = 8


def fit_text(fit: Fit, check: Check | ScriptCheck | None = None, *, width: int = 80, colour: bool = False) -> str:
    """The section of the report, with a line break at the end."""
    return render_blocks(_blocks(fit, check), width, colour)


def fit_json(fit: Fit, check: Check | ScriptCheck | None = None) -> dict[str, Any]:
    """The object under ``fit`` of the contract; it only grows. Non-finite numbers are strings."""
    found = {
        "dtype": fit.target.name,
        "verdict": fit.verdict,
        "message": fit.message,
        "steps": fit.steps,
        "exact": fit.exact,
        "operations": [_operation(each) for each in fit.operations],
        "hidden": [
            {"where": _where(each.where), "what": each.what, "largest": each.largest, "assumption": each.assumption}
            for each in fit.hidden
        ],
        "parameters": [_parameter(each) for each in fit.parameters],
        "loss_scale": dataclasses.asdict(fit.scale) if fit.scale is not None else None,
        "keep_in_float32": [{"module": each.module, "reasons": list(each.reasons)} for each in fit.keep],
        "notes": list(fit.notes),
        "check": _check(check) if check is not None else None,
    }
    return dict(_plain(found))


def _operation(each: OperationFit) -> dict[str, Any]:
    return {
        "where": _where(each.where), "scope": each.scope, "calls": each.calls, "harm": each.harm, "why": each.why,
        "fate": _fate(each.fate), "operations": list(each.operations),
    }  # fmt: skip


def _parameter(each: ParameterFit) -> dict[str, Any]:
    return {
        "name": each.name, "weight": _fate(each.weight), "gradient": _fate(each.gradient),
        "gradient_scaled": _fate(each.scaled), "update_ratio": each.update_ratio, "updates_lost": each.updates_lost,
        "second_moment": _fate(each.second_moment),
    }  # fmt: skip


def _fate(fate: Fate | None) -> dict[str, Any] | None:
    return dataclasses.asdict(fate) if fate is not None else None


def _where(where: Location) -> dict[str, Any]:
    return {name: getattr(where, name) for name in ("file", "line", "function", "module", "operator", "phase")}


def _check(check: Check | ScriptCheck) -> dict[str, Any]:
    found = dataclasses.asdict(check)
    if isinstance(check, ScriptCheck):
        for name, run in (("plain", check.plain), ("proposed", check.proposed)):
            if run is not None:
                found[name]["survives"] = run.survives
        return found
    for name, agreement in (("overflows", check.overflows), ("vanishes", check.vanishes)):
        found[name] |= {"precision": agreement.precision, "recall": agreement.recall}
    for name, outcome in (("pure", check.pure), ("mixed", check.mixed)):
        found[name]["loss_error"] = outcome.loss_error
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


# --- text -----------------------------------------------------------------------------------------------------


def _blocks(fit: Fit, check: Check | ScriptCheck | None) -> Iterable[RenderableType]:
    survives = fit.verdict != "gradients-too-wide"
    if check is not None:
        survives = check.mixed.survives if isinstance(check, Check) else check.proposed.survives
    yield Text.assemble((f"As {fit.target.name}: ", "bold"), (fit.message, "green" if survives else "red"))
    if isinstance(check, Check):
        yield _in(_verified(check, fit.target.name))
    shares = "" if fit.exact else "; shares are what extremes prove, so at least these"
    yield _in(
        Text(f"predicted from {counted(fit.looked_at, 'operation')} of {counted(fit.steps, 'step')}{shares}", "dim")
    )
    harmful = [each for each in fit.operations if each.harm is not None]
    if harmful:
        yield from (Text(), _heading("what breaks"), _operations(harmful))
    if fit.keep:
        yield from (Text(), _heading("to keep in float32 (their own operations, not their children's)"))
        for each in fit.keep[:_MOST_ROWS]:
            yield _in(Text.assemble((plain(each.module), "bold"), f": {plain(each.reasons[0])}"), 5)
        yield from _more(len(fit.keep))
    if fit.scale is not None:
        yield from (Text(), _heading("gradients"), _in(_scale(fit.scale, fit.target.name), 5))
        yield from _gradients(fit.parameters)
    if fit.notes:
        yield from (Text(), _heading(f"weights and optimizer states in {fit.target.name}"))
        yield from (_in(Text(f"· {plain(note, 500)}"), 5) for note in fit.notes)
    if fit.hidden:
        yield from (Text(), _heading("safe only because kernels compute in float32 inside"))
        for hidden in fit.hidden[:_MOST_ROWS]:
            place = hidden.where.module or _place(hidden.where)
            yield _in(Text(f"· {plain(place)}: {hidden.what}, up to {human(hidden.largest)}"), 5)
        yield from _more(len(fit.hidden))
    if check is not None:
        yield Text()
        yield from _checked(check) if isinstance(check, Check) else _run_again(check)


def _verified(check: Check, name: str) -> Text:
    """What running it says, which counts for more than the prediction above it."""
    needs = [f"{', '.join(plain(each.module) for each in check.keep)} in float32"] if check.keep else []
    needs += [f"a loss scale of {check.scale:g}"] if check.scale != 1.0 else []
    if not check.mixed.survives:
        return Text(f"Checked: it does not survive in {name}, with what is proposed either.", "red")
    return Text(
        f"Checked: it survives in {name}" + (f" with {' and '.join(needs)}." if needs else " as it is."), "green"
    )


def _operations(operations: list[OperationFit]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold red", no_wrap=True)
    table.add_column()
    for each in operations[:_MOST_ROWS]:
        what = Text(f"{_operator(each.where)}: {plain(each.why)}")
        if each.fate.overflow and "operand" not in each.why:
            what.append(f" ({percent(each.fate.overflow)} of its values)")
        beside = ", ".join(filter(None, (_place(each.where), plain(each.scope), each.where.phase)))
        what.append(f"\n{beside}", "dim")
        table.add_row(each.harm or "", what)
    if len(operations) > _MOST_ROWS:
        table.add_row("", Text(f"and {len(operations) - _MOST_ROWS:,} more, in the JSON", "dim"))
    return _in(table, 5)


def _scale(scale: LossScale, name: str) -> Text:
    if not scale.needed:
        return Text(f"no loss scale needed: {scale.reason}")
    text = Text.assemble("loss scale ", (f"{scale.scale:g}", "bold"), f": {scale.reason}")
    text.append(
        f"\nlargest in backward {human(scale.largest)}, times the scale {human(scale.largest * scale.scale)}: "
        f"{human(scale.headroom)} times below {name}'s limit"
    )
    return text


def _gradients(parameters: Iterable[ParameterFit]) -> Iterable[RenderableType]:
    losing = [each for each in parameters if each.gradient is not None and each.gradient.vanish > 0]
    losing.sort(key=lambda each: -each.gradient.vanish if each.gradient else 0.0)
    if not losing:
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_row(Text("gradients that vanish", "dim"), Text("as they are", "dim"), Text("with the scale", "dim"))
    for each in losing[:_MOST_ROWS]:
        with_scale = percent(each.scaled.vanish) if each.scaled is not None else ""
        table.add_row(plain(each.name), percent(each.gradient.vanish if each.gradient else 0.0), with_scale)
    yield _in(table, 5)
    yield from _more(len(losing))


def _checked(check: Check) -> Iterable[RenderableType]:
    yield _heading(f"checked by running it so, {counted(check.runs, 'time')}")
    table = Table.grid(padding=(0, 2, 0, 0))
    for outcome in (check.pure, check.mixed):
        with_ = f", loss scale {check.scale:g}" if outcome is check.mixed else ""
        mark = Text("✓ survives", "green") if outcome.survives else Text("✗ breaks", "red")
        table.add_row(Text(outcome.kind + with_), mark, Text(_told(outcome)))
    yield _in(table, 5)
    if check.keep:
        found = "the smallest set: without any one it breaks" if check.minimal else "not shown to be the smallest set"
        yield _in(Text(f"kept in float32 ({found})"), 5)
        for member in check.keep:
            yield _in(Text.assemble((plain(member.module), "bold"), f": without it, {plain(member.without)}"), 7)
    elif check.mixed.survives:
        yield _in(Text("no module needs float32; what runs outside of modules stays there"), 5)
    yield _in(Text(f"overflows: {_agreed(check.overflows)} · vanishing values: {_agreed(check.vanishes)}"), 5)
    if check.simulated:
        shown = ", ".join(check.simulated[:6]) + (" …" if len(check.simulated) > 6 else "")
        yield _in(Text(f"no kernel of this format here, float32 results rounded: {shown}", "dim"), 5)
    lost = sorted((each for each in check.updates if each.lost > 0), key=lambda each: -each.lost)
    for each in lost[:3]:
        yield _in(Text(f"of the update of {plain(each.parameter)}, {percent(each.lost)} would be lost"), 5)
    states = [(share, name, each.parameter) for each in check.updates for name, share in each.states_lost.items()]
    share, name, parameter = max(states, default=(0.0, "", ""))
    if share > 0:
        yield _in(Text(f"of {plain(parameter)}'s {name}, {percent(share)} would become zero"), 5)


def _run_again(check: ScriptCheck) -> Iterable[RenderableType]:
    yield _heading("checked by running the program again, every operand and result in its modules rounded")
    table = Table.grid(padding=(0, 2, 0, 0))
    for run in filter(None, (check.plain, check.proposed)):
        proposed = check.plain is not None and run is check.proposed
        what = "as proposed" if proposed else "all modules rounded"
        mark = Text("✓ stays finite", "green") if run.survives else Text("✗ breaks", "red")
        table.add_row(what, mark, _ran(run))
    yield _in(table, 5)


def _ran(run: ScriptRun) -> str:
    if run.error:
        return plain(run.error)
    if not run.steps:
        return "no step with a loss in both runs"
    if run.first_nonfinite is not None:
        return f"the loss is not finite from step {run.first_nonfinite} on"
    return (
        f"{counted(run.steps, 'step')}; last loss {human(run.last)}, in float32 {human(run.reference_last)}; "
        f"largest difference {percent(min(1.0, run.largest_difference))} at step {run.at_step}"
    )


def _told(outcome: Outcome) -> str:
    if outcome.error:
        return plain(outcome.error)
    told = f"loss {human(outcome.loss)} (float32 {human(outcome.reference_loss)})"
    if outcome.gradients_nonfinite:
        return f"{told}, {outcome.gradients_nonfinite:,} gradient elements not finite"
    lost = f", {percent(outcome.gradients_lost)} of the gradients lost" if outcome.gradients_lost else ""
    return f"{told}, cosine of gradients {outcome.gradient_cosine:.3f}{lost}"


def _agreed(agreement: Agreement) -> str:
    if not agreement.predicted and not agreement.observed:
        return "none predicted, none observed"
    false = agreement.predicted - agreement.both
    alarms = f", {false} of {agreement.predicted} predicted did not come" if false else ""
    return f"predicted {agreement.both} of {agreement.observed}{alarms}"


def _operator(where: Location) -> str:
    parts = (where.operator or "").split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def _place(where: Location) -> str:
    return f"{plain(where.file)}:{where.line}" if where.file else ""


def _more(number: int) -> Iterable[RenderableType]:
    if number > _MOST_ROWS:
        yield _in(Text(f"and {number - _MOST_ROWS:,} more, in the JSON", "dim"), 5)


def _heading(text: str) -> RenderableType:
    return _in(Text(text, "bold"))


def _in(what: RenderableType, by: int = 3) -> RenderableType:
    return Padding(what, (0, 0, 0, by))
