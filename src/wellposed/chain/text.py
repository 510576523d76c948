"""A plan told in words: one line a product, then the best order against the order as written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wellposed.chain.plan import Plan, Product

MOST_PRODUCTS = 24
"""Longer plans show as many lines, from both ends."""

MOST_OPERANDS_SPELLED = 16
"""Longer expressions are cut."""


def report(plan: Plan) -> str:
    """The report, without a newline at its end."""
    lines = [headline(plan)]
    if plan.operands > 1:
        lines += _table(plan)
        lines += comparison(plan)
    return "\n".join(lines)


def headline(plan: Plan) -> str:
    """``(A0·A1)·A2: 7,500 multiplications``"""
    return f"{short_expression(plan)}: {counted(plan.cost, 'multiplication')}"


def short_expression(plan: Plan) -> str:
    """The expression, or its ends where it is long."""
    if plan.operands <= MOST_OPERANDS_SPELLED:
        return plan.expression
    return f"A0·…·A{plan.operands - 1} ({plan.operands:,} matrices)"


def counted(number: int, thing: str) -> str:
    """``1 element``, ``7,500 elements``; past eighteen digits rounded."""
    return f"{large(number)} {thing}{'' if number == 1 else 's'}"


def large(number: int) -> str:
    """With separators; in powers of ten past eighteen digits."""
    if number < 10**18:
        return f"{number:,}"
    exponent = len(str(number)) - 1
    return f"{number // 10 ** (exponent - 3) / 1000:.3f}e{exponent}"


def factor(first: int, end: int) -> str:
    """``A0``, ``(A0·A1)``, ``(A0…A4)``"""
    if end - first == 1:
        return f"A{first}"
    return f"(A{first}{'·' if end - first == 2 else '…'}A{end - 1})"


def shape(product: Product) -> str:
    """``10×100 · 100×5``, with the batch in front where there is one."""
    batch = f"{product.batch:,} of " if product.batch != 1 else ""
    return f"{batch}{product.rows}×{product.inner} · {product.inner}×{product.columns}"


def label(product: Product) -> str:
    """``(A0·A1)·A2``"""
    return f"{factor(product.first, product.split)}·{factor(product.split, product.end)}"


def comparison(plan: Plan) -> list[str]:
    """Against both directions, and the memory: one line each."""
    lines = [_against(plan, "as written, left to right", plan.cost_as_written)]
    if plan.operands > 2:
        lines.append(_against(plan, "right to left", plan.cost_right_to_left))
    lines.append(f"at most {counted(plan.peak_elements, 'element')} alive at once beyond the operands")
    if plan.requires_grad:
        lines.append("multiplications of the forward and the backward pass")
    if plan.minimize.name != "multiplications":
        lines.append(f"minimized: {plan.minimize.name}, {_value(plan)}")
    return lines


def ratio(number: int, best: int) -> str:
    """``10×``, ``1.25×``; equal numbers are ``1×``."""
    if number == best:
        return "1×"
    if best == 0:
        return "∞×"
    hundredths = number * 100 // best
    return f"{hundredths / 100:.3g}×" if hundredths < 10**5 else f"{large(hundredths // 100)}×"


def _against(plan: Plan, what: str, cost: int) -> str:
    if cost == plan.cost:
        return f"{what}: the same"
    if cost < plan.cost:
        return f"{what}: {large(cost)}, fewer multiplications, but more of what was minimized"
    return f"{what}: {large(cost)} → {large(plan.cost)}, {ratio(cost, plan.cost)}"


def _value(plan: Plan) -> str:
    if plan.minimize.name == "time":
        return f"about {seconds(plan.value)}"
    return large(plan.value) if isinstance(plan.value, int) else f"{plan.value:,.6g}"


def seconds(value: float) -> str:
    """``12 µs``"""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def _table(plan: Plan) -> list[str]:
    shown = list(plan.products)
    left_out = len(shown) - MOST_PRODUCTS
    if left_out > 0:
        half = MOST_PRODUCTS // 2
        shown = [*shown[:half], *shown[-half:]]
    rows = [("product", "shapes", "multiplications", "makes")]
    for product in shown:
        last = product.end - product.first == plan.operands
        makes = f"{counted(product.elements, 'element')}{', the result' if last else ''}"
        rows.append((label(product), shape(product), large(product.multiplications), makes))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        f"  {name:<{widths[0]}}  {shapes:<{widths[1]}}  {cost:>{widths[2]}}  {makes}"
        for name, shapes, cost, makes in rows
    ]
    if left_out > 0:
        lines.insert(1 + MOST_PRODUCTS // 2, f"  … {left_out:,} more products …")
    return lines


def tree_picture(plan: Plan) -> list[str]:
    """The order as a tree: the result on top, its two factors below it; empty for plans of more than 24 products."""
    if not 1 < plan.operands <= MOST_PRODUCTS:
        return []
    made = {(product.first, product.end): product for product in plan.products}
    lines: list[str] = []
    open_parts = [(0, plan.operands, "", "")]
    while open_parts:
        first, end, before, below = open_parts.pop()
        product = made.get((first, end))
        rows, columns = plan.dimensions[first], plan.dimensions[end]
        if product is None:
            lines.append(f"{before}A{first}  {rows}×{columns}")
            continue
        cost = counted(product.multiplications, "multiplication")
        lines.append(f"{before}·  {rows}×{columns}  {cost}")
        open_parts.append((product.split, end, f"{below}└─ ", f"{below}   "))
        open_parts.append((first, product.split, f"{below}├─ ", f"{below}│  "))
    return lines
