"""Heating demand of buildings: linear model trained by gradient descent."""
import numpy as np

rng = np.random.default_rng(21)


def buildings(count, setpoints):
    area = rng.uniform(80, 400, count)
    year = rng.integers(1950, 2020, count).astype(float)
    outside = rng.normal(4, 5, count)
    thermostat = rng.choice(setpoints, count)
    x = np.stack([area, year, outside, thermostat], axis=1)
    y = 0.09 * area - 0.05 * (year - 1985) - 0.8 * outside + 0.5 * rng.normal(size=count)
    return x, y


def fit_scaler(x):
    mean = x.mean(axis=0)
    std = x.std(axis=0)
    std[std < 1e-9 * np.abs(mean)] = 1.0
    return mean, std


def scale(x, mean, std):
    return (x - mean) / std


x_train, y_train = buildings(1000, [14.62])
x_test, y_test = buildings(200, [14.62, 14.63])
mean, std = fit_scaler(x_train)
z = scale(x_train, mean, std)
w, b = np.zeros(4), 0.0
for step in range(400):
    error = z @ w + b - y_train
    w -= 0.05 * z.T @ error / len(z)
    b -= 0.05 * error.mean()
    if step % 100 == 0 or step == 399:
        print(f"step {step:3d} rmse {np.sqrt((error ** 2).mean()):.4f}")


def rmse(x, y):
    return float(np.sqrt(np.mean((scale(x, mean, std) @ w + b - y) ** 2)))


print("weights", np.round(w, 3).tolist(), "intercept", round(b, 3))
print("rmse on the training buildings", rmse(x_train, y_train))
print("rmse on the new buildings", rmse(x_test, y_test))
print("first predictions", (scale(x_test[:4], mean, std) @ w + b).tolist())
