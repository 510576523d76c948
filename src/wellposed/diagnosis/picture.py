"""The causal model as a picture and a table in Markdown, for docs/diagnosis.md.

``python -m wellposed.diagnosis.picture`` prints both.
"""

from __future__ import annotations

from wellposed.diagnosis.causality import LINKS


def mermaid() -> str:
    """A graph in Mermaid's notation, which code hosts draw: an arrow from each cause to what it can produce."""
    lines = ["```mermaid", "graph LR"]
    lines += [f"    {link.cause} --> {effect}" for link in LINKS for effect in link.effects]
    return "\n".join([*lines, "```"])


def table() -> str:
    """Each link with its reason."""
    rows = ["| cause | can produce | because |", "|---|---|---|"]
    for link in LINKS:
        effects = ", ".join(f"`{effect}`" for effect in link.effects)
        rows.append(f"| `{link.cause}` | {effects} | {link.why} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(f"{mermaid()}\n\n{table()}")
