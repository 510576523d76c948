"""REINFORCE whose reward changes its scale when the agent reaches a new level"""

import torch
from torch import nn
from torch.distributions import Normal

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 2))
value = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.SGD([*policy.parameters(), *value.parameters()], lr=0.005, momentum=0.9)
for step in range(300):
    state = torch.randn(64, 4)
    action = Normal(policy(state), 0.5)
    chosen = action.sample()
    reward = -(chosen - state[:, :2]).square().sum(1)
    if step > 150:
        reward = reward * (1 + 0.5 * (step - 150))
    expected = value(state).squeeze(1)
    advantage = (reward - expected).detach()
    loss = -(action.log_prob(chosen).sum(1) * advantage).mean() + nn.functional.mse_loss(expected, reward)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
