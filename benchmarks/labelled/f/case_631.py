"""Three interleaved spirals, one hidden layer, plain NumPy."""
import numpy as np

rng = np.random.default_rng(0)
points, classes, hidden = 150, 3, 64
angle = np.concatenate([np.linspace(4 * k, 4 * k + 4, points) + rng.normal(0, 0.2, points) for k in range(classes)])
radius = np.tile(np.linspace(0.05, 1, points), classes)
x = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
y = np.repeat(np.arange(classes), points)

W1 = rng.normal(0, 1, (2, hidden))
b1 = np.zeros(hidden)
W2 = rng.normal(0, 0.1, (hidden, classes))
b2 = np.zeros(classes)
rate = 1.0

for epoch in range(1500):
    h = np.tanh(x @ W1 + b1)
    logits = h @ W2 + b2
    logits = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(y.size), y]).mean()
    d_logits = p.copy()
    d_logits[np.arange(y.size), y] -= 1
    d_logits /= y.size
    d_hidden = d_logits @ W2.T * (1 - h ** 2)
    W2 -= rate * h.T @ d_logits
    b2 -= rate * d_logits.sum(axis=0)
    W1 -= rate * x.T @ d_hidden
    b1 -= rate * d_hidden.sum(axis=0)
    if epoch % 250 == 0 or epoch == 1499:
        print(f"epoch {epoch:4d} loss {loss:.4f} accuracy {(p.argmax(1) == y).mean():.3f}")
