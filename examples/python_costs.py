"""Where the time of a loop in pure Python goes: python examples/python_costs.py"""

import wellposed


def escape_steps(size: int) -> int:
    total = 0
    for row in range(size):
        for column in range(size):
            x = y = 0.0
            a, b = column / size * 3 - 2, row / size * 2 - 1
            for _ in range(50):
                x, y = x * x - y * y + a, 2 * x * y + b
                if x * x + y * y > 4:
                    break
                total += 1
    return total


costs = wellposed.costs(escape_steps, 250)
print(costs)
