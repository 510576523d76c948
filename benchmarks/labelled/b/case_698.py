import torch

torch.manual_seed(14)
spots = torch.tensor([[2.0, 2.0], [8.0, 3.0], [5.0, 9.0], [1.5, 7.5]])
pixels = spots[torch.randint(0, 4, (2000,))] + 0.5 * torch.randn(2000, 2)


def kmeans(points, k, iterations=25):
    low, high = points.min(0).values, points.max(0).values
    centres = low + (high - low) * torch.rand(k, points.shape[1])
    for it in range(iterations):
        owner = torch.cdist(points, centres).argmin(dim=1)
        onehot = torch.nn.functional.one_hot(owner, k).to(points.dtype)
        counts = onehot.sum(0)[:, None]
        sums = onehot.T @ points
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
        if it % 5 == 0:
            inertia = torch.cdist(points, centres).min(dim=1).values.square().mean().item()
            print(f"iteration {it} mean squared distance {inertia:.4f}")
    return centres, owner


centres, owner = kmeans(pixels, 12)
print("palette", centres[:4].tolist())
print("cluster sizes", torch.bincount(owner, minlength=12).tolist())
codes = centres[owner]
print("quantisation error", (codes - pixels).square().mean().item())
