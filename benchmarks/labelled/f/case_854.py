"""Purchase prediction with logistic regression in single precision."""
import numpy as np

rng = np.random.default_rng(6)
n, d = 3000, 12
x = rng.normal(size=(n, d)).astype(np.float32)
w_true = rng.normal(size=d).astype(np.float32) * 3
y = (x @ w_true + rng.normal(size=n).astype(np.float32) > 0).astype(np.float32)
train, test = slice(0, 2400), slice(2400, n)


def sigmoid(v):
    return np.where(v >= 0, 1 / (1 + np.exp(-np.abs(v))), np.exp(-np.abs(v)) / (1 + np.exp(-np.abs(v))))


def log_loss(y, p, eps=1e-6):
    p = np.clip(p, eps, 1 - eps)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


w = np.zeros(d, dtype=np.float32)
momentum = np.zeros_like(w)
for epoch in range(400):
    p = sigmoid(x[train] @ w)
    gradient = x[train].T @ (p - y[train]) / 2400
    momentum = np.float32(0.9) * momentum + gradient
    w -= np.float32(0.5) * momentum
    if epoch % 50 == 0 or epoch == 399:
        held_out = sigmoid(x[test] @ w)
        accuracy = ((held_out > 0.5) == y[test]).mean()
        print(f"epoch {epoch:3d} train {log_loss(y[train], p):.4f} "
              f"test {log_loss(y[test], held_out):.4f} accuracy {accuracy:.3f}")
print("weight norm", float(np.linalg.norm(w)))
