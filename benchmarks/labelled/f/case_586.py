"""Compare three denoisers on a synthetic photograph."""
import numpy as np

rng = np.random.default_rng(14)
size = 192
row, column = np.mgrid[0:size, 0:size]
scene = 110 + 60 * np.sin(row / 17) * np.cos(column / 23) + 40 * ((row // 32 + column // 32) % 2)
original = np.clip(scene, 0, 255).astype(np.uint8)
noisy = np.clip(scene + rng.normal(0, 18, scene.shape), 0, 255).astype(np.uint8)


def box(image, radius):
    padded = np.pad(image.astype(np.float64), radius, mode="edge")
    total = np.zeros(image.shape)
    for i in range(2 * radius + 1):
        for j in range(2 * radius + 1):
            total += padded[i:i + size, j:j + size]
    return np.round(total / (2 * radius + 1) ** 2).astype(np.uint8)


def median(image):
    padded = np.pad(image, 1, mode="edge")
    stack = [padded[i:i + size, j:j + size] for i in range(3) for j in range(3)]
    return np.median(np.stack(stack), axis=0).astype(np.uint8)


def psnr(reference, image):
    mse = np.mean((reference - image) ** 2)
    return 10 * np.log10(255.0 ** 2 / mse)


results = {"noisy": noisy, "box 3x3": box(noisy, 1), "box 9x9": box(noisy, 4), "median": median(noisy)}
for name, image in results.items():
    print(f"{name:8s} PSNR {psnr(original, image):6.2f} dB")
best = max(results, key=lambda name: psnr(original, results[name]))
print("best:", best)
