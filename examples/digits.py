"""Where digits go: the variance of three numbers near 1000 by two formulas, in three formats.

python examples/digits.py
"""

from __future__ import annotations

import torch

import wellposed


def by_squares(x: torch.Tensor) -> torch.Tensor:
    return (x**2).mean() - x.mean() ** 2


def by_deviations(x: torch.Tensor) -> torch.Tensor:
    return ((x - x.mean()) ** 2).mean()


def main() -> None:
    exact = torch.tensor([1000.001, 1000.002, 1000.003], dtype=torch.float64)
    print("the variance is 6.67e-7\n")
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        for formula in (by_squares, by_deviations):
            report = wellposed.digits(lambda x, formula=formula, dtype=dtype: formula(x.to(dtype)), exact)
            (output,) = report.outputs
            left = max(output.digits.normwise, 0.0)
            print(f"{dtype!s:15} {formula.__name__:14} {output.value:<11.3g} {left:.1f} digits left")
    print()
    print(wellposed.digits(by_squares, exact.float()))


if __name__ == "__main__":
    main()
