"""The catalogue of rewrites as Markdown: docs/rewrites.md is what this writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wellposed.report.rewrite_pages import failing_input
from wellposed.rewrites import Rewrite

OPENING = """\
# Rewrites

Unstable formulas and their stable forms, as `wellposed explain NAME` tells them. This page is written by
`python -m wellposed.report.rewrite_table > docs/rewrites.md`; a test holds it to the catalogue.

A formula *fails* where fewer than half of the decimal digits that its dtype holds are left (float16 3.3, bfloat16 2.4,
float32 7.2, float64 15.95), against the exact value at the same rounded inputs. Limits are measured on PyTorch's CPU
kernels (NumPy's where there is no form for PyTorch); another backend rounds a little differently. Every line below is
checked against mpmath by the tests, and every unstable form is found in the operators it runs and in its source.

## Adding one
An entry is a table in `src/wellposed/rewrites/catalogue/FAMILY.toml`:

| key | what it holds |
|---|---|
| `title`, `cause`, `what` | a line, the cause of a finding, and why it fails |
| `pattern` | the graph: an expression over canonical operators, or a list of several |
| `unmatched` | in its place, why a graph cannot show it |
| `unstable.torch`, `unstable.numpy` | the formula as people write it |
| `stable.torch`, `stable.numpy` | the form to use; the last line is the value |
| `exact` | what both mean, for mpmath |
| `changes_meaning`, `stable_exact` | what the stable form does otherwise on purpose, and its exact meaning |
| `input`, `t` | an input for each variable, over `t` between two ends, where the failure has a limit |
| `input`, `fine` | an input that fails and one that does not, where it has none |
| `of` | `gradient` where the derivative by the first variable fails, not the value |
| `keeps` | digits that the stable form keeps where that is not all but one |
| `when`, `sources` | the condition in words with `{limit}`; where it is from |
| `rules`, `dtypes` | rules of `run` that find it; the dtypes it is measured in |

`python -m tests.rewrites.measure NAME` measures it and writes the `fails` lines.
"""


def markdown(rewrites: Iterable[Rewrite]) -> str:
    """The page."""
    rewrites = list(rewrites)
    parts = [OPENING]
    for family in dict.fromkeys(rewrite.family for rewrite in rewrites):
        parts.append(f"## {family.replace('_', ' ').capitalize()}\n")
        parts += ["\n".join(_entry(rewrite)) for rewrite in rewrites if rewrite.family == family]
    return "\n".join(parts)


def _entry(rewrite: Rewrite) -> Iterator[str]:
    yield f"### {rewrite.name}"
    yield f"{rewrite.title[0].upper()}{rewrite.title[1:]} ({rewrite.cause}). {rewrite.what}\n"
    yield "```python"
    for library, code in rewrite.unstable.items():
        yield f"# unstable, {library}\n{code.strip()}"
    for library, code in rewrite.stable.items():
        yield f"# stable, {library}\n{code.strip()}"
    yield "```"
    subject = "The gradient fails" if rewrite.of == "gradient" else "It fails"
    yield f"{subject} when {rewrite.when.replace('{limit}', '*limit*')}.\n"
    limit = rewrite.t is not None
    yield "| dtype | " + ("limit | " if limit else "") + "failing input | digits lost there |"
    yield "|---|---|---|" + ("---|" if limit else "")
    for failure in rewrite.fails:
        shown = f"{failure.limit:g} | " if limit else ""
        yield f"| {failure.dtype} | {shown}`{failing_input(rewrite, failure)}` | {failure.loses:.1f} |"
    if rewrite.changes_meaning:
        yield f"\nThe stable form changes the meaning: {rewrite.changes_meaning}."
    yield f"\nSources: {'; '.join(rewrite.sources)}.\n"


if __name__ == "__main__":
    from wellposed.rewrites import all_rewrites

    print(markdown(all_rewrites()), end="")
