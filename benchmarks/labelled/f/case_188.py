"""Orthogonalise a basis by Householder reflections and use it to compress snapshots."""
import time

import numpy as np

rng = np.random.default_rng(17)
rows, columns = 500, 60
snapshots = rng.normal(size=(rows, 8)) @ rng.normal(size=(8, columns)) + 0.01 * rng.normal(size=(rows, columns))


def householder_qr(matrix):
    R = matrix.copy()
    Q = np.eye(rows)
    for k in range(matrix.shape[1]):
        v = R[:, k].copy()
        v[:k] = 0
        v[k] += np.copysign(np.linalg.norm(v), v[k])
        v /= np.linalg.norm(v)
        R -= 2 * np.outer(v, v @ R)
        Q -= 2 * np.outer(Q @ v, v)
    return Q, R


begin = time.perf_counter()
Q, R = householder_qr(snapshots)
seconds = time.perf_counter() - begin
print("factorisation took", round(seconds, 3), "s")
print("error of Q R:", float(np.abs(Q @ R - snapshots).max()))
print("error of orthogonality:", float(np.abs(Q.T @ Q - np.eye(rows)).max()))
basis = Q[:, :columns]
singular = np.linalg.svd(R[:columns], compute_uv=False)
kept = int((singular > 0.05 * singular[0]).sum())
print("modes kept:", kept)
coefficients = basis.T @ snapshots
print("energy of the snapshots:", float((coefficients ** 2).sum()), float((snapshots ** 2).sum()))
