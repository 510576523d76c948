"""Yield of a reaction against temperature: cubic fit by gradient descent."""
import numpy as np

rng = np.random.default_rng(2)
temperature = rng.uniform(20, 90, 200)
percent = 30 + 1.1 * temperature - 0.008 * temperature ** 2 + rng.normal(0, 1.5, temperature.size)

columns = np.stack([temperature, temperature ** 2, temperature ** 3], axis=1)
centre, spread = columns.mean(axis=0), columns.std(axis=0)
x = (columns - centre) / spread
y = (percent - percent.mean()) / percent.std()
train, test = slice(0, 150), slice(150, 200)

weights = np.zeros(3)
iterations = 1600
learning_rate = 0.5


def cost(rows):
    return ((x[rows] @ weights - y[rows]) ** 2).mean()


for i in range(iterations):
    error = x[train] @ weights - y[train]
    gradient = 2 * x[train].T @ error / error.size
    weights = weights - learning_rate * gradient
    if i % 200 == 0 or i == iterations - 1:
        print(f"iteration {i:4d} training cost {cost(train):.5g} test cost {cost(test):.5g}")

print("weights", weights.tolist())
grid = np.array([30.0, 50.0, 70.0])
features = (np.stack([grid, grid ** 2, grid ** 3], axis=1) - centre) / spread
print("expected yield at 30, 50, 70 degrees:", (features @ weights * percent.std() + percent.mean()).tolist())
