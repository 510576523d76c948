"""Energy of a small office from a power meter that reports whole watts once a second."""
import numpy as np

rng = np.random.default_rng(18)
days, per_day = 8, 86400
standby = 52.0


def power_of_day():
    watts = np.full(per_day, standby)
    opening = int(rng.integers(7.5 * 3600, 9 * 3600))
    closing = opening + int(rng.integers(6 * 3600, 9 * 3600))
    watts[opening:closing] += 140
    for _ in range(5):
        begin = int(rng.integers(opening, closing - 900))
        watts[begin:begin + int(rng.integers(200, 900))] += int(rng.integers(300, 1500))
    return watts.astype(np.float32)


last_reading = 418.25
watts = np.concatenate([power_of_day() for _ in range(days)])
increments = watts / np.float32(3.6e6)
increments[0] += np.float32(last_reading)
meter = np.cumsum(increments, dtype=np.float64)
readings = meter[per_day - 1::per_day]
daily = np.diff(readings, prepend=np.float32(last_reading))
night = meter.reshape(days, per_day)[:, 6 * 3600] - meter.reshape(days, per_day)[:, 3600]
for day in range(days):
    print(f"day {day + 1}: reading {readings[day]:.3f} kWh, used {daily[day]:.3f}, night {night[day]:.4f}")
print("week total [kWh]:", round(float(daily[:7].sum()), 3))
print("cost of the week [EUR]:", round(0.32 * float(daily[:7].sum()), 2))
print("night power by the meter [W]:", round(float(night.mean()) / 5 * 1000, 1))
print("share of the night in the week:", round(float(night[:7].sum() / daily[:7].sum()), 3))
