import math
import torch

torch.manual_seed(31)
LENGTH = 80
HIDDEN = 32
ALPHA = 0.3


def trial(batch):
    cue = torch.randint(0, 2, (batch,))
    stimulus = 0.2 * torch.randn(LENGTH, batch, 2)
    stimulus[:5, torch.arange(batch), cue] += 2.0
    return stimulus, cue


def init(rows, cols):
    bound = 1 / math.sqrt(rows)
    return torch.empty(rows, cols).uniform_(-bound, bound).requires_grad_()


W_in, W_rec, W_out = init(2, HIDDEN), init(HIDDEN, HIDDEN), init(HIDDEN, 2)
b_rec = torch.zeros(HIDDEN, requires_grad=True)
b_out = torch.zeros(2, requires_grad=True)
weights = [W_in, W_rec, W_out, b_rec, b_out]


def run(stimulus):
    state = torch.zeros(stimulus.size(1), HIDDEN)
    for u in stimulus:
        rate = torch.tanh(state)
        state = (1 - ALPHA) * state + ALPHA * (rate @ W_rec + u @ W_in + b_rec)
    return torch.tanh(state) @ W_out + b_out


optimizer = torch.optim.Adam(weights, lr=0.003)
window = []
for step in range(125):
    stimulus, cue = trial(32)
    loss = torch.nn.functional.cross_entropy(run(stimulus), cue)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    window.append(loss.item())
    if (step + 1) % 25 == 0:
        print(f"trial {step + 1}: loss {sum(window[-25:]) / 25:.4f}")
