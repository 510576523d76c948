import copy
import torch
from torch import nn


def random_mdp(states=15, actions=3):
    nxt = torch.randint(0, states, (states, actions))
    reward = torch.rand(states, actions)
    return nxt, reward


def value_iteration(nxt, reward, gamma):
    q = torch.zeros_like(reward)
    for _ in range(2000):
        q = reward + gamma * q.max(1).values[nxt]
    return q


def polyak(target, online, tau):
    with torch.no_grad():
        for tp, p in zip(target.parameters(), online.parameters()):
            tp.add_(tau * (p - tp))


def main():
    torch.manual_seed(1)
    gamma, tau = 0.8, 0.004
    nxt, reward = random_mdp()
    q_star = value_iteration(nxt, reward, gamma)
    obs = torch.eye(len(nxt))

    online = nn.Sequential(nn.Linear(15, 48), nn.ReLU(), nn.Linear(48, 3))
    target = copy.deepcopy(online)
    opt = torch.optim.Adam(online.parameters(), lr=2e-3)
    for step in range(2400):
        s = torch.randint(0, 15, (32,))
        a = torch.randint(0, 3, (32,))
        with torch.no_grad():
            future = target(obs[nxt[s, a]].to(target[0].weight.dtype)).float().max(1).values
        goal = reward[s, a] + gamma * future
        q = online(obs[s]).gather(1, a[:, None]).squeeze(1)
        loss = nn.functional.smooth_l1_loss(q, goal)
        opt.zero_grad()
        loss.backward()
        opt.step()
        polyak(target, online, tau)
        if step % 300 == 0:
            with torch.no_grad():
                gap = (online(obs) - q_star).abs().mean().item()
            print(f"step {step} td loss {loss.item():.4f} mean |Q - Q*| {gap:.3f}")
    with torch.no_grad():
        print("mean Q", online(obs).mean().item(), "optimal", q_star.mean().item())


if __name__ == "__main__":
    main()
