"""advantage actor-critic with entropy bonus, parallel environments"""

import torch
from torch import nn
from torch.distributions import Normal


class Pursuit:
    """Many particles on a plane that want to be at their targets; actions are velocities."""

    def __init__(self, count):
        self.count = count
        self.place, self.goal = torch.zeros(count, 2), torch.zeros(count, 2)
        self.reset(torch.ones(count, dtype=torch.bool))

    def reset(self, which):
        self.place[which] = 2 * torch.rand(int(which.sum()), 2) - 1
        self.goal[which] = 2 * torch.rand(int(which.sum()), 2) - 1

    def observe(self):
        return torch.cat([self.place, self.goal], dim=1)

    def step(self, action):
        before = (self.place - self.goal).norm(dim=1)
        self.place = (self.place + 0.2 * action.clamp(-1, 1)).clamp(-1.5, 1.5)
        after = (self.place - self.goal).norm(dim=1)
        done = after < 0.1
        reward = 5 * (before - after) + 1.0 * done
        self.reset(done)
        return reward, done.float()


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.mean, self.value = nn.Linear(64, 2), nn.Linear(64, 1)
        self.log_std = nn.Parameter(torch.full((2,), -0.5))

    def forward(self, state):
        hidden = self.body(state)
        return Normal(self.mean(hidden), self.log_std.exp()), self.value(hidden).squeeze(-1)


torch.manual_seed(0)
env, agent = Pursuit(64), ActorCritic()
optimizer = torch.optim.RMSprop(agent.parameters(), lr=2e-3)
for update in range(300):
    log_probs, values, rewards, dones, entropy = [], [], [], [], 0.0
    for _ in range(8):
        policy, value = agent(env.observe())
        action = policy.sample()
        reward, done = env.step(action)
        log_probs.append(policy.log_prob(action).sum(-1))
        values.append(value)
        rewards.append(reward)
        dones.append(done)
        entropy = entropy + policy.entropy().mean() / 8
    future, returns = agent(env.observe())[1].detach(), []
    for reward, done in zip(reversed(rewards), reversed(dones), strict=True):
        future = reward + 0.9 * future * (1 - done)
        returns.insert(0, future)
    advantage = torch.stack(returns) - torch.stack(values)
    policy_loss = -(torch.stack(log_probs) * advantage.detach()).mean()
    loss = policy_loss + 0.5 * advantage.pow(2).mean() - 0.003 * entropy
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
    optimizer.step()
    if update % 30 == 0:
        print(f"update {update}: reward a move {torch.stack(rewards).mean().item():.3f}")
