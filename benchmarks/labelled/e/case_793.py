import torch
from torch import nn

torch.manual_seed(2)
PROMPTS, ACTIONS, GROUP, CLIP = 12, 6, 8, 0.2
answer = torch.randint(0, ACTIONS, (PROMPTS, 2))


class Policy(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.prompt = nn.Embedding(PROMPTS, dim)
        self.prev = nn.Embedding(ACTIONS + 1, dim)
        self.cell = nn.GRUCell(dim, dim)
        self.head = nn.Linear(dim, ACTIONS)

    def rollout(self, prompt, actions=None):
        h = self.prompt(prompt)
        last = torch.full_like(prompt, ACTIONS)
        taken, logps = [], []
        for t in range(2):
            h = self.cell(self.prev(last), h)
            dist = torch.distributions.Categorical(logits=self.head(h))
            last = dist.sample() if actions is None else actions[:, t]
            taken.append(last)
            logps.append(dist.log_prob(last))
        return torch.stack(taken, 1), torch.stack(logps, 1)


def reward_fn(prompt, actions):
    return (actions == answer[prompt]).float().mean(1)


policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
curve = []
for it in range(120):
    prompt = torch.randint(0, PROMPTS, (4,)).repeat_interleave(GROUP)
    with torch.no_grad():
        actions, old_logp = policy.rollout(prompt)
    rewards = reward_fn(prompt, actions).view(4, GROUP)
    mean = rewards.mean(1, keepdim=True)
    std = rewards.std(1, keepdim=True)
    advantages = ((rewards - mean) / std).view(-1, 1)
    for _ in range(2):
        _, logp = policy.rollout(prompt, actions)
        ratio = (logp - old_logp).exp()
        clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
        loss = -torch.min(ratio * advantages, clipped * advantages).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    curve.append(rewards.mean().item())
    if it % 5 == 0:
        print(f"iteration {it} reward {curve[-1]:.3f} loss {loss.item():.4f}")
print("reward of the last ten iterations", sum(curve[-10:]) / 10)
