"""PPO with clipped ratios"""

import torch
from torch import nn
from torch.distributions import Categorical


class Bandits(nn.Module):
    """A policy over six actions and its critic."""

    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 6))
        self.critic = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 1))


def play(agent, reward_of, count):
    context = torch.randn(count, 5)
    with torch.no_grad():
        policy = Categorical(logits=agent.actor(context))
        action = policy.sample()
        reward = (context @ reward_of).gather(1, action[:, None]).squeeze(1) + 0.5 * torch.randn(count)
        return context, action, reward, policy.log_prob(action)


def main():
    torch.manual_seed(0)
    reward_of = torch.randn(5, 6)
    agent = Bandits()
    optimizer = torch.optim.Adam(agent.parameters(), lr=2e-3, eps=1e-5)
    for update in range(40):
        context, action, reward, old = play(agent, reward_of, 512)
        for _ in range(3):
            for batch in torch.randperm(512).split(128):
                policy = Categorical(logits=agent.actor(context[batch]))
                value = agent.critic(context[batch]).squeeze(1)
                advantage = reward[batch] - value.detach()
                advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
                ratio = torch.exp(policy.log_prob(action[batch]) - old[batch])
                clipped = torch.clamp(ratio, 0.8, 1.2)
                policy_loss = -torch.min(ratio * advantage, clipped * advantage).mean()
                value_loss = (reward[batch] - value).pow(2).mean()
                loss = policy_loss + 0.5 * value_loss - 0.01 * policy.entropy().mean()
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimizer.step()
        if update % 4 == 0:
            print(f"update {update}: reward {reward.mean().item():.3f}")


if __name__ == "__main__":
    main()
