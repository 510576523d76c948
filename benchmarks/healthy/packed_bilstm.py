"""bidirectional LSTM over packed sequences"""

import random

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

random.seed(0)
torch.manual_seed(0)
PAD, OPEN, CLOSE, LETTERS = 0, 1, 2, range(3, 13)


def sample():
    """Tag each letter: is it inside of brackets (1) or outside (0)?"""
    inside, tokens, tags = 0, [], []
    for _ in range(random.randint(4, 20)):
        if random.random() < 0.25:
            inside = 1 - inside
            tokens.append(OPEN if inside else CLOSE)
        else:
            tokens.append(random.choice(LETTERS))
        tags.append(inside)
    return torch.tensor(tokens), torch.tensor(tags)


def collate(batch):
    tokens, tags = zip(*batch, strict=True)
    lengths = torch.tensor([len(each) for each in tokens])
    return pad_sequence(tokens, True, PAD), pad_sequence(tags, True, -100), lengths


class Tagger(nn.Module):
    def __init__(self, size=32):
        super().__init__()
        self.embed = nn.Embedding(13, size, padding_idx=PAD)
        self.lstm = nn.LSTM(size, size, batch_first=True, bidirectional=True)
        self.tag = nn.Linear(2 * size, 2)

    def forward(self, tokens, lengths):
        packed = pack_padded_sequence(self.embed(tokens), lengths, batch_first=True, enforce_sorted=False)
        hidden, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.tag(hidden)


dataset = [sample() for _ in range(640)]
loader = torch.utils.data.DataLoader(dataset, batch_size=32, shuffle=True, collate_fn=collate)
model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss(ignore_index=-100)
for epoch in range(12):
    losses = []
    for tokens, tags, lengths in loader:
        optimizer.zero_grad()
        loss = criterion(model(tokens, lengths).transpose(1, 2), tags)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch + 1}: {sum(losses) / len(losses):.4f}")
