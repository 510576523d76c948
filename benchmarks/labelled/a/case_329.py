import torch
from torch import nn

DT = 0.05
HORIZON = 10


def pendulum(state, torque):
    """inverted pendulum near the upper position, angle and angular velocity"""
    angle, velocity = state.unbind(-1)
    acceleration = 12.0 * angle + torque
    return torch.stack([angle + DT * velocity, velocity + DT * acceleration], -1)


class Controller(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 1))
        self.gain = nn.Parameter(torch.zeros(2))

    def forward(self, state):
        return (self.net(state).squeeze(-1) * 0.1 + state @ self.gain)


def rollout(controller, state, steps):
    cost = 0.0
    for _ in range(steps):
        torque = controller(state)
        state = pendulum(state, torque)
        cost = cost + (state ** 2).sum(-1) + 0.001 * torque ** 2
    return cost.mean() / steps


def main():
    torch.manual_seed(33)
    controller = Controller()
    optimizer = torch.optim.SGD(controller.parameters(), lr=0.5, momentum=0.5)
    for it in range(90):
        start = 0.2 * torch.randn(32, 2)
        loss = rollout(controller, start, HORIZON)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if it % 10 == 0:
            print(f"iteration {it:3d} cost {loss.item():.5g} gain {controller.gain.tolist()}")


main()
