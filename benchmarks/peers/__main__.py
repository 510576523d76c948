"""The command line.

    python -m benchmarks.peers FOLDER --results peers.json --document docs/comparison.md
    python -m benchmarks.peers FOLDER --results peers.json --document docs/comparison.md --only wellposed

Run it from the root of the repository with a Python that has PyTorch and the peers (`pip install transformers
torch-audit trainscope neuraldbg stabilityguard`); peers that are missing are left out. Answers are kept in the results
file: `--only` runs some peers again and leaves the others as they were, `--only none` only writes the document.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.peers.adapters import PEERS, version
from benchmarks.peers.document import update
from benchmarks.peers.labels import Label, read_labels
from benchmarks.peers.running import run_all


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="labelled programs and their labels.csv")
    parser.add_argument("--results", type=Path, default=Path("peers.json"), help="where the answers are kept")
    parser.add_argument("--document", type=Path, help="the Markdown file whose generated part is written anew")
    parser.add_argument("--only", choices=[*PEERS, "none"], action="append", help="run this peer (may be repeated)")
    parser.add_argument("--match", default="*", help="run only the programs whose name matches, such as 'case_1*'")
    parser.add_argument("--kind", choices=["faulty", "sound"], help="run only the faulty programs, or only the others")
    parser.add_argument("--missing", action="store_true", help="run only what the results file has no answer for")
    parser.add_argument("--jobs", type=int, default=1, help="programs run at the same time (default 1)")
    return parser.parse_args(argv)


def run_peer(peer: str, labels: list[Label], args: argparse.Namespace, results: dict[str, Any]) -> None:
    kept = results.setdefault(peer, {"programs": {}})
    kept["version"] = version(peer)
    if args.missing:
        labels = [label for label in labels if label.file not in kept["programs"]]
    for number, (label, answer) in enumerate(run_all(peer, labels, args.folder, args.jobs), 1):
        kept["programs"][label.file] = answer.to_json()
        first = answer.messages[0].text if answer.messages else answer.ended or ""
        print(f"{peer} {number}/{len(labels)} {label.file}: {first[:100]}", flush=True)
        args.results.write_text(json.dumps(results, indent=1))


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    try:
        labels = read_labels(args.folder)
    except OSError as error:
        print(f"no labelled programs in {args.folder}: {error}", file=sys.stderr)
        return 2
    results = json.loads(args.results.read_text()) if args.results.exists() else {}
    chosen = [
        label
        for label in labels
        if fnmatch.fnmatch(label.file, args.match) and args.kind in {None, "faulty" if label.faulty else "sound"}
    ]
    for peer in args.only or PEERS:
        if peer == "none":
            continue
        if version(peer) is None:
            print(f"{peer} is not installed: left out")
            continue
        run_peer(peer, chosen, args, results)
    if args.document:
        update(args.document, labels, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
