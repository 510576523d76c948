"""Finds the verb, parses its options, runs it. A verb's module is imported only when it is asked for.

A verb is a module with ``NAME``, ``HELP`` (one line), ``add_arguments(parser)`` and ``execute(args) -> int``; it may
have ``DESCRIPTION`` and ``EPILOG`` for its ``--help``.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
from types import ModuleType
from typing import NoReturn

from wellposed.cli.errors import UsageError, is_input_error

VERBS = {
    "run": "wellposed.cli.run",
    "report": "wellposed.cli.report",
    "explain": "wellposed.cli.explain",
    "plan": "wellposed.cli.plan",
    "digits": "wellposed.cli.digits",
    "python": "wellposed.cli.python",
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line `argv` (this process's own); returns the exit code, 2 for a usage or input error.

    Raises SystemExit after ``--help``, and KeyboardInterrupt where the process is to end by SIGINT.
    """
    try:
        return _dispatch(sys.argv[1:] if argv is None else list(argv))
    except KeyboardInterrupt:
        sys.excepthook = lambda *_: None
        raise
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if not is_input_error(error):
            raise
        from wellposed.cli.messages import fail

        return fail(error)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"wellposed {_version()}")
        return 0
    if words[0] not in VERBS:
        raise UsageError(_no_such_verb(words[0]))
    verb = importlib.import_module(VERBS[words[0]])
    return int(verb.execute(_parser(verb).parse_args(words[1:])))


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, and what the nearest option is."""

    def error(self, message: str) -> NoReturn:
        start, _, rest = message.partition("unrecognized arguments: ")
        if rest and not start:
            near = difflib.get_close_matches(rest.split()[0].partition("=")[0], self._option_string_actions, n=1)
            message = f"there is no option {rest.split()[0]!r}" + (f"; did you mean {near[0]}?" if near else "")
        raise UsageError(f"{message} (see {self.prog} --help)")


def _parser(verb: ModuleType) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=f"wellposed {verb.NAME}",
        description=getattr(verb, "DESCRIPTION", verb.HELP),
        epilog=getattr(verb, "EPILOG", None),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verb.add_arguments(parser)
    return parser


def _overview() -> str:
    modules = [importlib.import_module(name) for name in VERBS.values()]
    width = max(len(module.NAME) for module in modules)
    verbs = "\n".join(f"  {module.NAME:<{width}}  {module.HELP}" for module in modules)
    return f"""usage: wellposed VERB [options] …

Names the root cause when a PyTorch program blows up, vanishes, turns NaN or loses digits.

verbs:
{verbs}

  wellposed VERB --help   what a verb does, with examples
  wellposed --version     the version

Start here: put `wellposed run` where you write `python`.

  wellposed run train.py --epochs 3"""


def _no_such_verb(word: str) -> str:
    if word.endswith(".py") or os.path.exists(word):
        return f"to record a program, say: wellposed run {word}"
    near = difflib.get_close_matches(word, VERBS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(VERBS)}"
    kind = "option" if word.startswith("-") else "verb"
    return f"there is no {kind} {word!r}; {hint}"


def _version() -> str:
    from importlib import metadata

    return metadata.version("wellposed")
