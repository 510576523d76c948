import torch


def hat(w):
    zero = torch.zeros_like(w[:, 0])
    return torch.stack([
        torch.stack([zero, -w[:, 2], w[:, 1]], 1),
        torch.stack([w[:, 2], zero, -w[:, 0]], 1),
        torch.stack([-w[:, 1], w[:, 0], zero], 1),
    ], 1)


def rotation(w):
    return torch.linalg.matrix_exp(hat(w))


def angle(a, b):
    relative = a.transpose(1, 2) @ b
    cosine = (relative.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    return torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))


torch.manual_seed(8)
path = torch.cumsum(0.08 * torch.randn(60, 3), 0)
measured_w = path + 0.10 * torch.randn(60, 3)
measured = rotation(measured_w)

pose = measured_w.clone().requires_grad_(True)
opt = torch.optim.Adam([pose], lr=5e-3)
for it in range(150):
    r = rotation(pose)
    drift = angle(r, measured)
    bend = angle(r[:-1], r[1:])
    loss = drift.square().mean() + 2.0 * bend.square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 15 == 0:
        error = (pose - path).norm(dim=1).mean().item()
        print(f"iteration {it:3d} objective {loss.item():.5f} error to the true path {error:.4f}")
