"""What other diagnostic tools say of the same broken programs: run them all, judge them all, write one table.

    python -m benchmarks.peers FOLDER --results peers.json --document docs/comparison.md

Nothing of a program is changed by hand: `launch.py` starts it under one peer, `adapters/` holds one peer a file,
`judging.py` says what counts as an answer, `document.py` writes the tables.
"""
