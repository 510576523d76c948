"""REINFORCE on a balancing pole"""

import math

import torch
import torch.nn as nn
from torch.distributions import Categorical


class CartPole:
    """Barto, Sutton and Anderson's pole on a cart, as in Gym."""

    def reset(self):
        self.state = torch.empty(4).uniform_(-0.05, 0.05).tolist()
        return torch.tensor(self.state)

    def step(self, action):
        x, v, angle, spin = self.state
        force = 10.0 if action else -10.0
        push = (force + 0.05 * spin**2 * math.sin(angle)) / 1.1
        turn = 9.8 * math.sin(angle) - math.cos(angle) * push
        turn = turn / (0.5 * (4 / 3 - 0.1 * math.cos(angle) ** 2 / 1.1))
        move = push - 0.05 * turn * math.cos(angle) / 1.1
        self.state = [x + 0.02 * v, v + 0.02 * move, angle + 0.02 * spin, spin + 0.02 * turn]
        return torch.tensor(self.state), abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.21


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(4, 64)
        self.affine2 = nn.Linear(64, 2)

    def forward(self, x):
        return torch.softmax(self.affine2(torch.relu(self.affine1(x))), dim=-1)


def main():
    torch.manual_seed(543)
    env, policy = CartPole(), Policy()
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    eps = torch.finfo(torch.float32).eps
    running = 10.0
    for episode in range(200):
        state, log_probs, moves = env.reset(), [], 0
        while moves < 50:
            distribution = Categorical(policy(state))
            action = distribution.sample()
            log_probs.append(distribution.log_prob(action))
            state, fallen = env.step(action.item())
            moves += 1
            if fallen:
                break
        discounted, returns = 0.0, []
        for _ in range(moves):
            discounted = 1.0 + 0.99 * discounted
            returns.insert(0, discounted)
        returns = torch.tensor(returns)
        returns = (returns - returns.mean()) / (returns.std() + eps)
        loss = -(torch.stack(log_probs) * returns).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running = 0.95 * running + 0.05 * moves
        if episode % 20 == 0:
            print(f"episode {episode}: {moves} moves, on average {running:.1f}")


if __name__ == "__main__":
    main()
