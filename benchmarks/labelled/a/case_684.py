import torch
from torch import nn

torch.manual_seed(5)
T, HID, VOCAB = 40, 64, 16


def batch(n):
    seq = torch.randint(0, VOCAB, (n, T))
    for t in range(2, T):
        copy = torch.rand(n) < 0.8
        seq[:, t] = torch.where(copy, (seq[:, t - 2] + 3) % VOCAB, seq[:, t])
    return seq


class CharRNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, 24)
        self.w_in = nn.Linear(24, HID)
        self.w_rec = nn.Linear(HID, HID, bias=False)
        self.decode = nn.Linear(HID, VOCAB)

    def forward(self, seq):
        h = torch.zeros(seq.size(0), HID)
        outputs = []
        for t in range(seq.size(1)):
            h = torch.relu(self.w_in(self.embed(seq[:, t])) + self.w_rec(h))
            outputs.append(self.decode(h))
        return torch.stack(outputs, 1)


rnn = CharRNN()
nn.init.orthogonal_(rnn.w_rec.weight)
optimizer = torch.optim.SGD(rnn.parameters(), lr=0.3)
losses = []
for step in range(250):
    seq = batch(32)
    logits = rnn(seq[:, :-1])
    loss = nn.functional.cross_entropy(logits.reshape(-1, VOCAB), seq[:, 1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 25 == 0:
        print(f"{step:4d} loss {loss.item():.4f}")
print("last:", sum(losses[-10:]) / 10)
