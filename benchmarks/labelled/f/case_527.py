"""Solve a dense system in single precision and refine the solution."""
import numpy as np
from scipy.linalg import lu_factor, lu_solve

rng = np.random.default_rng(23)
n = 300
U, _ = np.linalg.qr(rng.normal(size=(n, n)))
V, _ = np.linalg.qr(rng.normal(size=(n, n)))
A = U @ np.diag(np.logspace(0, -4, n)) @ V.T
x_true = rng.normal(size=n)
b = A @ x_true

factors = lu_factor(A.astype(np.float32))
x = lu_solve(factors, b.astype(np.float32)).astype(np.float64)
for sweep in range(8):
    r = b - A @ x
    error = np.linalg.norm(x - x_true) / np.linalg.norm(x_true)
    print(f"sweep {sweep} residual {np.linalg.norm(r):.3e} error {error:.3e}")
    correction = lu_solve(factors, r.astype(np.float32))
    x = x + correction
    if np.linalg.norm(correction) < 1e-14 * np.linalg.norm(x):
        break
print("final error:", np.linalg.norm(x - x_true) / np.linalg.norm(x_true))
