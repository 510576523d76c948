"""DQN with replay and target network on a small grid"""

import random
from collections import deque

import torch
import torch.nn as nn
import torch.nn.functional as F

SIZE, GAMMA = 5, 0.95
MOVES = [(0, 1), (0, -1), (1, 0), (-1, 0)]


class Grid:
    """Walk from a random cell to the corner; each move costs a little."""

    def reset(self):
        self.cell, self.moves = (random.randrange(SIZE - 1), random.randrange(SIZE - 1)), 0
        return self.observe()

    def observe(self):
        picture = torch.zeros(SIZE, SIZE)
        picture[self.cell] = 1
        return picture.flatten()

    def step(self, action):
        self.cell = tuple(min(SIZE - 1, max(0, here + by)) for here, by in zip(self.cell, MOVES[action], strict=True))
        self.moves += 1
        done = self.cell == (SIZE - 1, SIZE - 1)
        return self.observe(), 1.0 if done else -0.05, done, self.moves >= 40


def network():
    return nn.Sequential(nn.Linear(SIZE * SIZE, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, len(MOVES)))


def learn(policy, target, optimizer, memory):
    state, action, reward, following, done = zip(*random.sample(memory, 64), strict=True)
    value = policy(torch.stack(state)).gather(1, torch.tensor(action)[:, None]).squeeze(1)
    with torch.no_grad():
        future = target(torch.stack(following)).max(1).values
        wanted = torch.tensor(reward) + GAMMA * future * (1 - torch.tensor(done).float())
    loss = F.smooth_l1_loss(value, wanted)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(policy.parameters(), 1.0)
    optimizer.step()


random.seed(0)
torch.manual_seed(0)
policy, target = network(), network()
target.load_state_dict(policy.state_dict())
optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-3)
memory, env, total = deque(maxlen=5000), Grid(), 0
for episode in range(100):
    state, done, late, rewards = env.reset(), False, False, 0.0
    while not (done or late):
        explore = random.random() < max(0.05, 1 - episode / 60)
        action = random.randrange(4) if explore else policy(state).argmax().item()
        following, reward, done, late = env.step(action)
        memory.append((state, action, reward, following, done))
        state, rewards, total = following, rewards + reward, total + 1
        if len(memory) >= 200 and total % 2 == 0:
            learn(policy, target, optimizer, memory)
        if total % 100 == 0:
            target.load_state_dict(policy.state_dict())
    if episode % 20 == 19:
        print(f"episode {episode + 1}: return {rewards:.2f} in {env.moves} moves")
