"""character RNN with gradient clipping"""

import torch
import torch.nn as nn

TEXT = (
    "the quick brown fox jumps over the lazy dog. pack my box with five dozen liquor jugs. "
    "how vexingly quick daft zebras jump! the five boxing wizards jump quickly. "
    "sphinx of black quartz, judge my vow. waltz, bad nymph, for quick jigs vex. "
) * 20

chars = sorted(set(TEXT))
stoi = {c: i for i, c in enumerate(chars)}
data = torch.tensor([stoi[c] for c in TEXT])


class CharRNN(nn.Module):
    def __init__(self, vocab_size, hidden_size=96):
        super().__init__()
        self.encoder = nn.Embedding(vocab_size, hidden_size)
        self.rnn = nn.RNN(hidden_size, hidden_size, batch_first=True)
        self.decoder = nn.Linear(hidden_size, vocab_size)

    def forward(self, x, h=None):
        out, h = self.rnn(self.encoder(x), h)
        return self.decoder(out), h


def get_batch(batch_size=16, seq_length=25):
    start = torch.randint(0, len(data) - seq_length - 1, (batch_size,)).tolist()
    x = torch.stack([data[s : s + seq_length] for s in start])
    y = torch.stack([data[s + 1 : s + seq_length + 1] for s in start])
    return x, y


@torch.no_grad()
def generate(model, prompt="the ", length=60):
    model.eval()
    out, h = model(torch.tensor([[stoi[c] for c in prompt]]))
    text = prompt
    for _ in range(length):
        probs = torch.softmax(out[0, -1] / 0.8, dim=-1)
        index = torch.multinomial(probs, 1)
        text += chars[index.item()]
        out, h = model(index.view(1, 1), h)
    return text


torch.manual_seed(1337)
model = CharRNN(len(chars))
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
for it in range(500):
    x, y = get_batch()
    logits, _ = model(x)
    loss = nn.functional.cross_entropy(logits.reshape(-1, len(chars)), y.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if it % 50 == 0:
        print(f"iter {it}: loss {loss.item():.3f}")
print(generate(model))
