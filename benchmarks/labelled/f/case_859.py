"""Software lock-in: amplitude of a weak tone buried in noise."""
import numpy as np

rng = np.random.default_rng(4)
rate = 44100
tone = 6200.0
n = 88200
exact = np.arange(n) / rate
recording = 0.05 * np.sin(2 * np.pi * tone * exact + 0.3) + rng.normal(0, 0.2, n)
recording = recording.astype(np.float32)

dt = 1 / rate
t = 0.0
clock = np.empty(n)
for i in range(n):
    clock[i] = t
    t += dt

reference = (np.sin, np.cos)
angle = 2 * np.pi * tone * clock.astype(np.float64)
in_phase, quadrature = (recording * wave(angle) for wave in reference)
for stop in (4410, 22050, 44100, 88200):
    amplitude = 2 * np.hypot(in_phase[:stop].mean(), quadrature[:stop].mean())
    print(f"after {stop / rate:4.1f} s: amplitude {amplitude:.4f}")
blocks = 2 * np.hypot(in_phase.reshape(20, -1).mean(1), quadrature.reshape(20, -1).mean(1))
print("amplitude per block", np.round(blocks, 3).tolist())
print("samples:", n, "length [s]:", n / rate)
phase = np.degrees(np.arctan2(quadrature.reshape(20, -1).mean(1), in_phase.reshape(20, -1).mean(1)))
print("phase per block [deg]", np.round(phase).tolist())
