import torch
from torch import nn

torch.manual_seed(15)


class HalfTrainer:
    """half precision model, float32 master weights, loss scaling"""

    def __init__(self, model, lr, scale):
        self.master = [p.detach().clone().float() for p in model.parameters()]
        self.model = model.half()
        self.opt = torch.optim.Adam(self.master, lr=lr)
        self.scale = scale

    def step(self, x, y):
        pred = self.model(x.half())
        loss = nn.functional.mse_loss(pred.float(), y)
        self.model.zero_grad()
        (loss * self.scale).backward()
        for m, p in zip(self.master, self.model.parameters()):
            m.grad = p.grad.float() / self.scale
        self.opt.step()
        with torch.no_grad():
            for m, p in zip(self.master, self.model.parameters()):
                p.copy_(m)
        return loss.item()


def batch(n=128):
    x = torch.rand(n, 8) * 2 - 1
    return x, (3 * x[:, :1] * x[:, 1:2] + torch.cos(3 * x[:, 2:3]) + 4 * x[:, 3:4])


net = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
trainer = HalfTrainer(net, lr=3e-3, scale=2.0 ** 8)
for step in range(400):
    loss = trainer.step(*batch())
    if step % 50 == 0:
        print(f"step {step} mse {loss:.4f}")
print("final mse", loss)
