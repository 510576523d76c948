import torch

torch.manual_seed(6)
FOCAL = 1.2


def rotation(w):
    zero = torch.zeros(())
    skew = torch.stack([torch.stack([zero, -w[2], w[1]]), torch.stack([w[2], zero, -w[0]]), torch.stack([-w[1], w[0], zero])])
    return torch.linalg.matrix_exp(skew)


def project(points, w, t):
    cam = points @ rotation(w).T + t
    depth = cam[:, 2:]
    return FOCAL * cam[:, :2] / depth


def localise(points, pixels, steps=400, lr=0.02):
    """pose of a camera inside a room from landmarks it sees"""
    w = torch.zeros(3, requires_grad=True)
    t = torch.tensor([0.0, 0.0, 0.0], requires_grad=True)
    opt = torch.optim.SGD([w, t], lr=lr, momentum=0.8)
    for i in range(steps):
        residual = project(points, w, t) - pixels
        loss = residual.pow(2).sum(1).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        if i % 40 == 0:
            print(f"step {i} reprojection error {loss.item():.6g}")
    return w.detach(), t.detach()


true_w, true_t = torch.tensor([0.05, -0.1, 0.02]), torch.tensor([0.1, -0.05, 0.4])
landmarks = torch.rand(150, 3) * torch.tensor([2.0, 2.0, 4.0]) - torch.tensor([1.0, 1.0, 0.1])
depth = (landmarks @ rotation(true_w).T + true_t)[:, 2]
landmarks = landmarks[depth > 0.3]
pixels = project(landmarks, true_w, true_t) + 1e-3 * torch.randn(len(landmarks), 2)
w, t = localise(landmarks, pixels)
print("error of the rotation", (w - true_w).norm().item(), "error of the position", (t - true_t).norm().item())
