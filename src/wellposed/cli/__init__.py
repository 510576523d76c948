"""The command line: one file a verb, imported when it is asked for. Knows everybody; nobody knows it."""

from wellposed.cli.main import main

__all__ = ["main"]
