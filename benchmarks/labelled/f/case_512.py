"""Policy gradient fine-tuning of a small token policy with a KL report against the start policy."""
import torch
from torch import nn

torch.manual_seed(3)
vocabulary, width, length = 50, 32, 24
policy = nn.Sequential(nn.Embedding(vocabulary, width), nn.Linear(width, 64), nn.Tanh(), nn.Linear(64, vocabulary))
start = [p.detach().clone() for p in policy.parameters()]
liked = torch.rand(vocabulary)
optimizer = torch.optim.SGD(policy.parameters(), lr=3e-4)


def log_probabilities(tokens, parameters=None):
    if parameters is None:
        logits = policy(tokens[:, :-1])
    else:
        names = [name for name, _ in policy.named_parameters()]
        logits = torch.func.functional_call(policy, dict(zip(names, parameters)), (tokens[:, :-1],))
    return logits.log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)


def kl_estimate(log_p, log_reference):
    log_ratio = log_reference - log_p
    return torch.expm1(log_ratio) - log_ratio


for update in range(40):
    tokens = torch.randint(0, vocabulary, (32, 1))
    with torch.no_grad():
        for _ in range(length):
            nxt = torch.distributions.Categorical(logits=policy(tokens[:, -1])).sample()
            tokens = torch.cat([tokens, nxt[:, None]], dim=1)
    log_p = log_probabilities(tokens)
    with torch.no_grad():
        log_reference = log_probabilities(tokens, start)
        kl = kl_estimate(log_p, log_reference)
    reward = liked[tokens[:, 1:]].mean(1)
    advantage = (reward - reward.mean()) / (reward.std() + 1e-6)
    loss = -(advantage[:, None] * log_p).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if update % 8 == 0 or update == 39:
        print(f"update {update:2d} reward {reward.mean():.4f} KL {kl.mean().item():.3e} "
              f"smallest {kl.min().item():.3e} negative {(kl < 0).float().mean():.3f}")
