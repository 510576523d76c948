"""Orders of random chains against two other ways to find them.

    python -m benchmarks.order_soak                      a million chains
    python -m benchmarks.order_soak --chains 20000 --seed 7

Every chain is planned by Hu and Shing's algorithm and by the O(n³) dynamic programme, in C++; the order is priced again
in Python; and where there are up to eight matrices, every order is tried. Prints a line for each kind of chain; ends
with 1 and the first chain where any two of them differ.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence

from wellposed import _native

MOST_BY_BRUTE_FORCE = 8
LONGEST = 200


def uniform(limit: int) -> Callable[[random.Random, int], list[int]]:
    return lambda rng, count: [rng.randint(1, limit) for _ in range(count)]


def log_uniform(rng: random.Random, count: int) -> list[int]:
    return [int(10 ** rng.uniform(0, 7)) for _ in range(count)]


def many_ones(rng: random.Random, count: int) -> list[int]:
    return [1 if rng.random() < 0.5 else rng.randint(1, 20) for _ in range(count)]


def near_equal(rng: random.Random, count: int) -> list[int]:
    around = rng.randint(1, 10**7)
    return [around + rng.randint(0, 2) for _ in range(count)]


def equal(rng: random.Random, count: int) -> list[int]:
    return [rng.randint(1, 10**7)] * count


def mountains(rng: random.Random, count: int) -> list[int]:
    """Rising and falling by turns: many arcs, deeply nested."""
    height, out = rng.randint(1, 1000), []
    for _ in range(count):
        height = max(1, height + rng.choice((-3, -2, -1, 0, 1, 2, 3)) * (1 if rng.random() < 0.9 else 50))
        out.append(height)
    return out


def with_zeros(rng: random.Random, count: int) -> list[int]:
    return [0 if rng.random() < 0.1 else rng.randint(0, 9) for _ in range(count)]


def huge(rng: random.Random, count: int) -> list[int]:
    return [2**62 + rng.randint(-2, 2) if rng.random() < 0.5 else rng.randint(1, 2**62) for _ in range(count)]


KINDS: dict[str, tuple[int, Callable[[random.Random, int], list[int]]]] = {
    "1 … 3 (ties)": (15, uniform(3)),
    "1 … 10": (15, uniform(10)),
    "1 … 1000": (15, uniform(1000)),
    "1 … 10⁷": (10, uniform(10**7)),
    "log-uniform to 10⁷": (12, log_uniform),
    "half ones": (10, many_ones),
    "near equal": (8, near_equal),
    "all equal": (2, equal),
    "mountains": (8, mountains),
    "with zeros": (3, with_zeros),
    "to 2⁶²": (2, huge),
}
"""Of a hundred chains, how many are of each kind."""


def every_order(dimensions: Sequence[int]) -> list[int]:
    """The cost of every order of the chain, without sharing anything between them."""
    if len(dimensions) < 3:
        return [0]
    costs = []
    for k in range(1, len(dimensions) - 1):
        here = dimensions[0] * dimensions[k] * dimensions[-1]
        right = every_order(dimensions[k:])
        costs += [left + other + here for left in every_order(dimensions[: k + 1]) for other in right]
    return costs


def price(dimensions: Sequence[int], sequence: Sequence[int]) -> int:
    """What it costs to contract these inner dimensions one after another."""
    before = list(range(-1, len(dimensions) - 1))
    after = list(range(1, len(dimensions) + 1))
    cost = 0
    for k in sequence:
        low, high = before[k], after[k]
        cost += dimensions[low] * dimensions[k] * dimensions[high]
        after[low], before[high] = high, low
    if sorted(sequence) != list(range(1, len(dimensions) - 1)):
        raise ValueError(f"{list(sequence)} does not contract each inner dimension once")
    return cost


def length(rng: random.Random) -> int:
    """Mostly short: the dynamic programme takes the cube of it."""
    return rng.randint(1, 8) if rng.random() < 0.3 else rng.randint(1, rng.choice((20, 60, 60, 120, LONGEST)))


def differs(dimensions: list[int]) -> str | None:
    """What two planners disagree about; None where they agree."""
    cost, packed = _native.chain_order(dimensions)
    told = {"Hu–Shing": cost, "its order": price(dimensions, memoryview(packed).cast("i"))}
    told["O(n³)"] = _native.chain_interval_order(dimensions)[0]
    if len(dimensions) - 1 <= MOST_BY_BRUTE_FORCE:
        told["every order"] = min(every_order(dimensions))
    return None if len(set(told.values())) == 1 else f"{dimensions}: {told}"


def soak(chains: int, seed: int) -> int:
    started = time.perf_counter()
    for kind, (share, make) in KINDS.items():
        rng = random.Random(f"{seed} {kind}")
        matrices = longest = tried = 0
        count = max(1, chains * share // 100)
        for _ in range(count):
            dimensions = make(rng, length(rng) + 1)
            if (wrong := differs(dimensions)) is not None:
                print(f"{kind}: {wrong}")
                return 1
            matrices += len(dimensions) - 1
            longest = max(longest, len(dimensions) - 1)
            tried += len(dimensions) - 1 <= MOST_BY_BRUTE_FORCE
        print(
            f"{kind:<20} {count:>9,} chains, mean length {matrices / count:5.1f}, longest {longest}, "
            f"{tried:>8,} of them against every order: all equal",
            flush=True,
        )
    print(f"{time.perf_counter() - started:.0f} s")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    return soak(args.chains, args.seed)


if __name__ == "__main__":
    sys.exit(main())
