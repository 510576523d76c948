"""Digits on a 12 x 12 grid, a seven layer perceptron written out by hand."""
import numpy as np

rng = np.random.default_rng(5)
side, classes, n = 12, 6, 900
templates = (rng.random((classes, side * side)) < 0.3).astype(float)
label = rng.integers(0, classes, n)
images = templates[label] + 0.45 * rng.normal(size=(n, side * side))
images -= images.mean()
one_hot = np.eye(classes)[label]
train, test = slice(0, 700), slice(700, n)

sizes = [side * side, 48, 48, 48, 48, 48, 48, classes]
weights = [rng.normal(0, np.sqrt(2 / a), (a, b)) for a, b in zip(sizes[:-1], sizes[1:])]
biases = [np.zeros(b) for b in sizes[1:]]


def activation(z):
    return np.maximum(z, 0)


def slope(a):
    return (a > 0).astype(float)


def forward(x):
    layers = [x]
    for W, b in zip(weights[:-1], biases[:-1]):
        layers.append(activation(layers[-1] @ W + b))
    logits = layers[-1] @ weights[-1] + biases[-1]
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    return layers, p / p.sum(axis=1, keepdims=True)


for epoch in range(31):
    order = rng.permutation(700)
    for batch in np.array_split(order, 22):
        layers, p = forward(images[batch])
        delta = (p - one_hot[batch]) / len(batch)
        for k in range(len(weights) - 1, -1, -1):
            back = delta @ weights[k].T
            weights[k] -= 0.05 * layers[k].T @ delta
            biases[k] -= 0.05 * delta.sum(axis=0)
            delta = back * slope(layers[k])
    if epoch % 5 == 0:
        _, p = forward(images[train])
        loss = -np.log(p[np.arange(700), label[train]]).mean()
        accuracy = (forward(images[test])[1].argmax(axis=1) == label[test]).mean()
        print(f"epoch {epoch:2d} loss {loss:.4f} test accuracy {accuracy:.3f}")
