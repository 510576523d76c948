"""What the interpreter and the machine are like, where that bends what is measured."""

from __future__ import annotations

import platform
import sysconfig
from collections.abc import Iterable

from wellposed.interpreter.costs import ThreadCosts
from wellposed.interpreter.sampling import Samples

FEW_SAMPLES = 200
"""Below, the interval of a share of one half is wider than ± 7 points."""
_ENOUGH_SAMPLES = 1000
BUSY = 0.2
"""Share of the time in which a thread could have run and had no processor: above, wall-clock times say little."""


def build_warning() -> str | None:
    """A sentence where this interpreter was built without the optimisations that others have."""
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    flags = str(sysconfig.get_config_var("PY_CORE_CFLAGS") or "") + str(
        sysconfig.get_config_var("CONFIGURE_CFLAGS") or ""
    )
    if not arguments:
        return None
    missing = []
    if "--enable-optimizations" not in arguments and "-fprofile-use" not in flags:
        missing.append("PGO")
    if "--with-lto" not in arguments and "-flto" not in flags:
        missing.append("LTO")
    if "PGO" not in missing:
        return None
    return (
        f"this Python {platform.python_version()} was built without {' and '.join(missing)}; an optimised build runs "
        "the same program 1.2 to 1.8 times as fast"
    )


def warnings_of(samples: Samples, threads: Iterable[ThreadCosts], signals: int, cpu: float) -> tuple[str, ...]:
    """What a reader must know before believing the shares, a sentence each."""
    told = []
    if signals < FEW_SAMPLES:
        told.append(f"{signals} samples are few: observe it for longer, or repeat it, for narrower intervals")
    ready = sum(each.cpu + each.queued for each in threads)
    queued = sum(each.queued for each in threads)
    if ready > 0.05 and queued / ready > BUSY:
        told.append(
            f"the machine is busy: {queued / ready:.0%} of the time in which the program could run, it had no "
            "processor; shares of CPU time hold, wall-clock times do not"
        )
    if cpu > 0.5 and signals < min(_ENOUGH_SAMPLES, 0.6 * samples.rate * cpu):
        told.append(
            f"the kernel's clock allowed {signals / cpu:.0f} samples a second of CPU time, not {samples.rate:.0f}"
        )
    if samples.displaced:
        told.append("the program took SIGPROF for itself meanwhile; what ran after that was not sampled")
    dropped = samples.lost + sum(each.dropped for each in samples.threads.values())
    if dropped:
        told.append(f"{dropped} samples were dropped: they came faster than they could be counted")
    if samples.why_not:
        told.append(samples.why_not)
    slow = build_warning()
    return (*told, slow) if slow else tuple(told)
