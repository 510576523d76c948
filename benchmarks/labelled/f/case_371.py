"""Nearest-centroid classification of spectra stored in half precision to save memory."""
import numpy as np

rng = np.random.default_rng(8)
samples, channels = 1200, 40
material = rng.integers(0, 3, samples)
signature = np.tile(40 * np.linspace(0.2, 4.0, channels), (3, 1))
signature[:, 24:] *= rng.uniform(0.7, 1.4, (3, channels - 24))
spectra = signature[material] * (1 + 0.25 * rng.normal(size=(samples, channels)))
spectra = spectra.astype(np.float16)
train = np.arange(samples) < 900


def standardise(values):
    mean = values.mean(axis=0)
    std = values.std(axis=0)
    return (values - mean) / std


print("samples:", samples, "channels:", channels, "memory [kB]:", spectra.nbytes // 1024)
z = standardise(spectra)
centroids = np.stack([z[train & (material == k)].mean(axis=0) for k in range(3)])
distance = ((z[:, None, :] - centroids[None]) ** 2).sum(axis=2)
guess = distance.argmin(axis=1)
print("training accuracy", round(float((guess[train] == material[train]).mean()), 3))
print("test accuracy", round(float((guess[~train] == material[~train]).mean()), 3))
for k in range(3):
    part = ~train & (material == k)
    print("material", k, "recognised:", round(float((guess[part] == k).mean()), 3))
print("spread of the standardised channels", np.round(z.astype(np.float32).std(axis=0)[::6], 3).tolist())
print("distance between the centroids", round(float(np.abs(centroids[0] - centroids[1]).mean()), 3))
