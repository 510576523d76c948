import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(1)
CONTEXT, ACTIONS, PROMPTS, SAMPLES = 12, 10, 12, 6


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(CONTEXT, 64), nn.GELU(), nn.Linear(64, ACTIONS))

    def forward(self, c):
        return F.log_softmax(self.body(c), -1)


answer_map = torch.randn(CONTEXT, ACTIONS)


def reward_fn(context, actions):
    score = (context @ answer_map).softmax(-1)
    return score[actions] / score.max()


def rollout(policy, context):
    """Samples several answers for one prompt; malformed answers are filtered out"""
    with torch.no_grad():
        actions = torch.multinomial(policy(context).exp(), SAMPLES, replacement=True)
    keep = torch.rand(SAMPLES) > 0.3
    keep[0] = True
    return actions[keep]


def group_advantage(rewards, eps=1e-6):
    return (rewards - rewards.mean()) / (rewards.std(correction=0) + eps)


policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
history = []
for step in range(200):
    contexts = torch.randn(PROMPTS, CONTEXT)
    terms, mean_reward = [], 0.0
    for context in contexts:
        actions = rollout(policy, context)
        rewards = reward_fn(context, actions)
        adv = group_advantage(rewards)
        logp = policy(context)[actions]
        terms.append(-(adv * logp).mean())
        mean_reward += rewards.mean().item() / PROMPTS
    loss = torch.stack(terms).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history.append(mean_reward)
    if step % 20 == 0:
        recent = sum(history[-20:]) / len(history[-20:])
        print(f"step {step} loss {loss.item():.4f} reward {recent:.3f}")
print("final reward", sum(history[-20:]) / 20)
