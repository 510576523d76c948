"""What went wrong on the user's side: one sentence on stderr, exit code 2."""

from __future__ import annotations


class UsageError(Exception):
    """A usage or input error; the message is one sentence that says what to do."""


def is_input_error(error: BaseException) -> bool:
    """Whether the message of `error` is a sentence for the user, whichever room raised it."""
    # Imported only once something went wrong: the command line itself stays light.
    from wellposed.findings import UnknownRuleError
    from wellposed.record import RecordError, RecordExistsError
    from wellposed.settings import SettingsError

    return isinstance(error, (UsageError, RecordError, RecordExistsError, SettingsError, UnknownRuleError))
