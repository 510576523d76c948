import torch
from torch import nn

torch.manual_seed(59)
USERS, ITEMS, DIM = 200, 150, 16


class EmbeddingAdam:
    def __init__(self, params, lr, betas=(0.9, 0.99), eps=1e-10):
        self.params, self.lr, self.betas, self.eps, self.t = list(params), lr, betas, eps, 0
        self.m = [torch.zeros(p.shape) for p in self.params]
        self.v = [torch.zeros(p.shape) for p in self.params]

    @torch.no_grad()
    def step(self):
        self.t += 1
        b1, b2 = self.betas
        for p, m, v in zip(self.params, self.m, self.v):
            g = p.grad.float()
            m.lerp_(g, 1 - b1)
            v.lerp_(g * g, 1 - b2)
            update = (m / (1 - b1 ** self.t)) / ((v / (1 - b2 ** self.t)).sqrt() + self.eps)
            p.copy_(p.float() - self.lr * update)
            p.grad = None


class Recommender(nn.Module):
    def __init__(self):
        super().__init__()
        self.user = nn.Embedding(USERS, DIM)
        self.item = nn.Embedding(ITEMS, DIM)

    def forward(self, u, i):
        return (self.user(u) * self.item(i)).sum(1) / DIM ** 0.5


true_u, true_i = torch.randn(USERS, 4), torch.randn(ITEMS, 4)
u_all = torch.randint(0, USERS, (12000,))
i_all = torch.randint(0, ITEMS, (12000,))
r_all = (true_u[u_all] * true_i[i_all]).sum(1) / 2

model = Recommender().to(torch.bfloat16)
optimizer = EmbeddingAdam(model.parameters(), lr=1.2e-3)
running = None
for step in range(300):
    idx = torch.randint(0, len(r_all), (2048,))
    pred = model(u_all[idx], i_all[idx]).float()
    loss = nn.functional.mse_loss(pred, r_all[idx])
    loss.backward()
    optimizer.step()
    running = loss.item() if running is None else 0.9 * running + 0.1 * loss.item()
    if step % 30 == 0:
        print(step, "mse", round(running, 4))
print("final mse", round(running, 4))
