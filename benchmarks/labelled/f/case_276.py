"""Trend of a tank level over a sliding minute, with an alarm on fast changes."""
import numpy as np

rng = np.random.default_rng(12)
start = 1_718_021_460.0
seconds = np.arange(0, 1800, 0.5)
time = start + seconds
rate = np.where((seconds > 900) & (seconds < 1000), 0.02, 0.001)
level = 3.2 + np.cumsum(rate) * 0.5 + rng.normal(0, 0.004, seconds.size)
WINDOW = 120


def slope(x, y):
    mean_x, mean_y = x.mean(), y.mean()
    covariance = (x * y).mean() - mean_x * mean_y
    variance = (x * x).mean() - mean_x * mean_x
    return covariance / variance


trend = np.zeros(seconds.size - WINDOW)
for k in range(trend.size):
    window = slice(k, k + WINDOW)
    trend[k] = slope(time[window], level[window])

alarm = np.abs(trend) > 0.01
print("windows:", trend.size)
print("median trend [m/s]:", float(np.median(trend)))
print("largest / smallest trend:", float(trend.max()), float(trend.min()))
print("windows in alarm:", int(alarm.sum()))
first = int(np.argmax(alarm)) if alarm.any() else -1
print("first alarm at second", float(seconds[first + WINDOW]) if first >= 0 else None)
quiet = trend[seconds[WINDOW:] < 880]
print("false alarms in the quiet part:", int((np.abs(quiet) > 0.01).sum()), "of", quiet.size)
