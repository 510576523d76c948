"""Ring-down of a resonator: amplitude, damping, frequency and phase from one trace."""
import numpy as np

rng = np.random.default_rng(31)
t = np.linspace(0, 4, 240, dtype=np.float32)
truth = np.array([2.0, 0.7, 5.5, 0.4], dtype=np.float32)
STEP = 3e-4


def model(p):
    amplitude, damping, omega, phase = p
    return amplitude * np.exp(-damping * t) * np.cos(omega * t + phase)


def jacobian(p):
    base = model(p)
    columns = []
    for i in range(p.size):
        h = np.float32(STEP * max(1.0, abs(float(p[i]))))
        moved = p.copy()
        moved[i] += h
        columns.append((model(moved) - base) / h)
    return np.stack(columns, axis=1)


trace = model(truth) + rng.normal(0, 0.02, t.size).astype(np.float32)
p = np.array([1.5, 0.5, 5.2, 0.0], dtype=np.float32)
damping_factor = 1e-2
cost = float(((trace - model(p)) ** 2).mean())
for iteration in range(40):
    J = jacobian(p)
    r = trace - model(p)
    A = J.T @ J
    step = np.linalg.solve(A + damping_factor * np.eye(4, dtype=np.float32), J.T @ r)
    candidate = (p + step).astype(np.float32)
    new_cost = float(((trace - model(candidate)) ** 2).mean())
    if new_cost < cost:
        p, cost = candidate, new_cost
        damping_factor = max(damping_factor / 3, 1e-7)
    else:
        damping_factor = min(damping_factor * 4, 1e4)
    if iteration % 8 == 0:
        print(f"iteration {iteration:2d} cost {cost:.6f}")
print("fitted parameters", np.round(p, 4).tolist())
print("true parameters  ", truth.tolist())
print(f"residual rms {np.sqrt(cost):.4f}")
