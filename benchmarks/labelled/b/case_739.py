import torch
from torch import nn
from torch.distributions import Normal


class SquashedPolicy(nn.Module):
    def __init__(self, obs_dim, act_dim):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(obs_dim, 64), nn.ReLU(), nn.Linear(64, 2 * act_dim))

    def forward(self, obs):
        mean, log_std = self.body(obs).chunk(2, dim=-1)
        normal = Normal(mean, log_std.clamp(-5, 1).exp())
        raw = normal.rsample()
        action = torch.tanh(raw)
        logp = normal.log_prob(raw) - 2 * (0.6931472 - raw - nn.functional.softplus(-2 * raw))
        return action, logp.sum(-1)


def critic(obs, action):
    wanted = 1.5 * torch.sign(obs[:, :2])
    return -8.0 * (action - wanted).pow(2).sum(-1)


def main():
    torch.manual_seed(9)
    policy = SquashedPolicy(6, 2)
    opt = torch.optim.Adam(policy.parameters(), lr=3e-3)
    alpha = 0.05
    for step in range(600):
        obs = torch.randn(128, 6)
        action, logp = policy(obs)
        loss = (alpha * logp - critic(obs, action)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 50 == 0:
            print(f"step {step} actor loss {loss.item():.4f} entropy {-logp.mean().item():.3f}")


main()
