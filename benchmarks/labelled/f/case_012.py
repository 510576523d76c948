"""Sum a long stream of single precision readings with a running compensation."""
import math

import numpy as np

rng = np.random.default_rng(41)
readings = rng.gamma(2.0, 0.05, 200_000).astype(np.float32)


class Accumulator:
    def __init__(self):
        self.total = np.float32(0)
        self.compensation = np.float32(0)
        self.count = 0

    def add(self, value):
        y = value - self.compensation
        t = self.total + y
        self.compensation = (t - self.total) - y
        self.total = t
        self.count += 1

    def mean(self):
        return float(self.total) / self.count


accumulator = Accumulator()
for position, value in enumerate(readings, 1):
    accumulator.add(value)
    if position % 50_000 == 0:
        print(f"after {position} readings: total {float(accumulator.total):.3f} mean {accumulator.mean():.6f}")
exact = math.fsum(readings.tolist())
print("exact total:", round(exact, 3))
print("relative difference:", abs(float(accumulator.total) - exact) / exact)
