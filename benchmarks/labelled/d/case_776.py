import random
import torch
import torch.nn as nn
import torch.nn.functional as F

random.seed(0)
torch.manual_seed(0)

SIZE, GAMMA = 6, 0.95
GOAL = (5, 5)
MOVES = [(0, 1), (1, 0), (0, -1), (-1, 0)]


class GridWorld:
    def reset(self):
        self.pos = (random.randrange(SIZE), random.randrange(SIZE))
        return self.obs()

    def obs(self):
        return torch.tensor([self.pos[0] / SIZE, self.pos[1] / SIZE, 1 - self.pos[0] / SIZE, 1 - self.pos[1] / SIZE])

    def step(self, a):
        r = min(max(self.pos[0] + MOVES[a][0], 0), SIZE - 1)
        c = min(max(self.pos[1] + MOVES[a][1], 0), SIZE - 1)
        self.pos = (r, c)
        return self.obs(), -1.0, self.pos == GOAL


class QNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 64)
        self.fc2 = nn.Linear(64, 64)
        self.head = nn.Linear(64, 4)

    def forward(self, s):
        s = F.relu(self.fc1(s))
        s = F.relu(self.fc2(s))
        return self.head(s)


env, online, target = GridWorld(), QNet(), QNet()
target.load_state_dict(online.state_dict())
optimizer = torch.optim.Adam(online.parameters(), lr=2e-3)
memory = []
s = env.reset()
for _ in range(3000):
    a = random.randrange(4)
    s2, r, done = env.step(a)
    memory.append((s, a, r, s2, float(done)))
    s = env.reset() if done else s2
states = torch.stack([m[0] for m in memory])
actions = torch.tensor([m[1] for m in memory])
rewards = torch.tensor([m[2] for m in memory])
nexts = torch.stack([m[3] for m in memory])
dones = torch.tensor([m[4] for m in memory])

for step in range(300):
    idx = torch.randint(0, len(memory), (128,))
    q = online(states[idx]).gather(1, actions[idx, None]).squeeze(1)
    with torch.no_grad():
        goal = rewards[idx] + GAMMA * (1 - dones[idx]) * target(nexts[idx]).max(1).values
    loss = F.smooth_l1_loss(q, goal)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        target.load_state_dict(online.state_dict())
        print(f"step {step} td loss {loss.item():.4f} mean q {q.mean().item():.3f}")
