import torch
from torch import nn

torch.manual_seed(1)
CELLS, GAMMA = 8, 0.9


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.q = nn.Parameter(torch.zeros(CELLS, 2))
        self.register_buffer("steps", torch.zeros(1))

    def epsilon(self):
        return max(0.02, 1.0 - self.steps.item() / 4000)

    def act(self, s):
        self.steps += 1
        if torch.rand(1).item() < self.epsilon():
            return int(torch.randint(0, 2, (1,)))
        return int(self.q[s].argmax())


def move(s, a):
    """corridor: reward at the right end, the episode ends there"""
    nxt = min(max(s + (1 if a == 1 else -1), 0), CELLS - 1)
    done = nxt == CELLS - 1
    return nxt, 1.0 if done else -0.05, done


agent = Agent().to(torch.bfloat16)
agent.q.data = agent.q.data.float()
alpha, returns = 0.2, []
s, total, length = 0, 0.0, 0
for t in range(9000):
    a = agent.act(s)
    nxt, r, done = move(s, a)
    with torch.no_grad():
        target = r + (0.0 if done else GAMMA * agent.q[nxt].max())
        agent.q[s, a] += alpha * (target - agent.q[s, a])
    s, total, length = nxt, total + r, length + 1
    if done or length >= 60:
        returns.append(total)
        s, total, length = 0, 0.0, 0
    if t % 900 == 899:
        recent = returns[-20:]
        print(f"step {t + 1} mean return {sum(recent) / len(recent):.3f} epsilon {agent.epsilon():.3f}")
print("mean return", sum(returns[-30:]) / 30)
