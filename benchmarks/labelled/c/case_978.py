import math

import torch

torch.manual_seed(11)
QUBITS, LAYERS = 10, 2
DIM = 2 ** QUBITS


def ry(state, theta, q):
    state = state.reshape(2 ** q, 2, -1)
    c, s = torch.cos(theta / 2), torch.sin(theta / 2)
    a, b = state[:, 0], state[:, 1]
    return torch.stack([c * a - s * b, s * a + c * b], 1).reshape(-1)


bits = (torch.arange(DIM)[:, None] >> torch.arange(QUBITS - 1, -1, -1)) & 1
cz = 1.0 - 2.0 * ((bits[:, :-1] * bits[:, 1:]).sum(1) % 2)


def circuit(angles):
    state = torch.zeros(DIM)
    state[0] = 1.0
    for layer in range(LAYERS):
        for q in range(QUBITS):
            state = ry(state, angles[layer, q], q)
        state = state * cz
    return state


def cost(angles):
    """how far the circuit is from returning all qubits to 0"""
    prob = circuit(angles) ** 2
    return 1 - prob[0]


angles = (torch.rand(LAYERS, QUBITS) * 2 * math.pi).requires_grad_()
opt = torch.optim.SGD([angles], lr=0.5)
for it in range(150):
    value = cost(angles)
    opt.zero_grad()
    value.backward()
    opt.step()
    if it % 15 == 0:
        print(f"iter {it} cost {value.item():.6f}")
print("final cost", cost(angles).item(), "probability of |0...0>", circuit(angles)[0].item() ** 2)
