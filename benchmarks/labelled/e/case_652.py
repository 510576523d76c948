import torch
from torch import nn

torch.manual_seed(0)
OBS, ACT, ALPHA = 6, 2, 0.02
goal = torch.randn(OBS, ACT)


def action_value(obs, act):
    wanted = torch.sign(obs @ goal)
    return (act * wanted).sum(-1) * 3.0 - 0.05 * (act ** 2).sum(-1)


class SquashedGaussianActor(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(OBS, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.mu = nn.Linear(hidden, ACT)
        self.log_std = nn.Linear(hidden, ACT)

    def forward(self, obs):
        h = self.body(obs)
        mu = self.mu(h)
        log_std = self.log_std(h).clamp(-5, 2)
        noise = torch.randn_like(mu)
        u = mu + log_std.exp() * noise
        logp = (-0.5 * noise ** 2 - log_std - 0.9189).sum(-1)
        logp = logp - (2 * (0.6931472 - u - nn.functional.softplus(-2 * u))).sum(-1)
        return torch.tanh(u), logp


actor = SquashedGaussianActor()
optimizer = torch.optim.Adam(actor.parameters(), lr=3e-3)
returns = []
for step in range(300):
    obs = 2 * torch.randn(128, OBS)
    act, logp = actor(obs)
    q = action_value(obs, act)
    loss = (ALPHA * logp - q).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    returns.append(q.mean().item())
    if step % 25 == 0:
        print(f"update {step} actor loss {loss.item():.4f} value {q.mean().item():.4f} entropy {-logp.mean().item():.3f}")
print("mean value of the last 20 updates", sum(returns[-20:]) / 20)
