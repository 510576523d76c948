"""What trainers of others do with losses that are not finite."""

from __future__ import annotations

import sys
from typing import Any


def trainer_in_stack() -> dict[str, Any] | None:
    """Hugging Face's Trainer, where it is among the callers: it leaves NaN losses out of its log unless told not to.

    Gives the details of the record's event ``trainer``; None where there is no such caller.
    """
    if "transformers.trainer" not in sys.modules:
        return None
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.endswith("transformers/trainer.py"):
            arguments = getattr(frame.f_locals.get("self"), "args", None)
            hides = bool(getattr(arguments, "logging_nan_inf_filter", False))
            return {"class": "Trainer", "logging_nan_inf_filter": hides}
        frame = frame.f_back  # type: ignore[assignment]
    return None
