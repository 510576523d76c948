import torch

torch.manual_seed(0)
USERS, ITEMS, RANK = 200, 150, 6
true_u, true_v = torch.randn(USERS, RANK), torch.randn(ITEMS, RANK)
users = torch.randint(0, USERS, (20000,))
items = torch.randint(0, ITEMS, (20000,))
ratings = 3.2 + 0.5 * (true_u[users] * true_v[items]).sum(1) + 0.1 * torch.randn(20000)


class Momentum:
    def __init__(self, params, lr, beta=0.9):
        self.params, self.lr, self.beta = list(params), lr, beta
        self.buffers = [torch.zeros_like(p, dtype=torch.float32) for p in self.params]

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    @torch.no_grad()
    def step(self):
        for p, b in zip(self.params, self.buffers):
            b.mul_(self.beta).add_(p.grad.float())
            p.copy_(p.float() - self.lr * b)


STORAGE = torch.bfloat16
user_f = (true_u + 0.4 * torch.randn(USERS, RANK)).to(STORAGE).requires_grad_()
item_f = (true_v + 0.4 * torch.randn(ITEMS, RANK)).to(STORAGE).requires_grad_()
offset = torch.full((1,), 3.2).to(STORAGE).requires_grad_()
opt = Momentum([user_f, item_f, offset], lr=0.05)

losses = []
for step in range(300):
    pick = torch.randint(0, len(ratings), (2000,))
    u, v = user_f[users[pick]].float(), item_f[items[pick]].float()
    guess = offset.float() + 0.5 * (u * v).sum(1)
    loss = ((guess - ratings[pick]) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    losses.append(loss.item())
    if step % 30 == 0:
        print(f"step {step} rmse {loss.item() ** 0.5:.4f}")
print("final rmse", (sum(losses[-10:]) / 10) ** 0.5)
