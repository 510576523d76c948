import torch
import torch.nn.functional as F

gen = torch.Generator().manual_seed(17)


def make_images(n):
    label = torch.randint(0, 4, (n,), generator=gen)
    img = 0.4 * torch.randn(n, 1, 14, 14, generator=gen)
    grid = torch.arange(14).float()
    for k in range(4):
        angle = torch.tensor(k * torch.pi / 4)
        wave = torch.sin(1.3 * (grid[:, None] * angle.cos() + grid[None, :] * angle.sin()))
        img[label == k, 0] += wave
    return img, label


def conv_weight(c_out, c_in, k):
    w = torch.randn(c_out, c_in, k, k, generator=gen) * 0.01
    return w.requires_grad_()


channels = [1, 16, 16, 16, 16, 16]
params = []
for c_in, c_out in zip(channels, channels[1:]):
    params += [conv_weight(c_out, c_in, 3), torch.zeros(c_out, requires_grad=True)]
w_fc = (torch.randn(4, 16, generator=gen) / 4).requires_grad_()
b_fc = torch.zeros(4, requires_grad=True)
params += [w_fc, b_fc]


def forward(x):
    for i in range(0, len(params) - 2, 2):
        x = F.relu(F.conv2d(x, params[i], params[i + 1], padding=1))
    return F.linear(x.mean(dim=(2, 3)), w_fc, b_fc)


images, labels = make_images(600)
velocity = [torch.zeros_like(p) for p in params]
for step in range(240):
    pick = torch.randint(0, 600, (32,), generator=gen)
    loss = F.cross_entropy(forward(images[pick]), labels[pick])
    grads = torch.autograd.grad(loss, params)
    with torch.no_grad():
        for p, v, g in zip(params, velocity, grads):
            v.mul_(0.9).add_(g)
            p.sub_(0.03 * v)
    if step % 30 == 0:
        print(f"step {step} loss {loss.item():.4f}")
with torch.no_grad():
    print("accuracy", (forward(images).argmax(1) == labels).float().mean().item(), "loss", loss.item())
