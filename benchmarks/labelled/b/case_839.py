import torch
from torch import nn

torch.manual_seed(13)
TASKS, TOOLS, GROUP = 12, 4, 16
best_tool = torch.randint(0, TOOLS, (TASKS,))


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.task = nn.Embedding(TASKS, 16)
        self.head = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, TOOLS))

    def forward(self, task):
        return torch.distributions.Categorical(logits=self.head(self.task(task)))


policy = Policy()
opt = torch.optim.AdamW(policy.parameters(), lr=4e-3, weight_decay=0.0)
curve = []
for update in range(250):
    task = torch.randint(0, TASKS, (4,))
    dist = policy(task)
    action = dist.sample((GROUP,))
    reward = (action == best_tool[task]).float()
    spread = reward.std(dim=0)
    adv = (reward - reward.mean(dim=0)) / (spread + 1e-4)
    loss = -(adv * dist.log_prob(action)).mean() - 0.01 * dist.entropy().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    curve.append(reward.mean().item())
    if update % 25 == 0:
        print(f"update {update:3d} success rate {curve[-1]:.3f} loss {loss.item():+.4f}")
