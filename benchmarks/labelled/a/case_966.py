import torch
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import DataLoader, TensorDataset


class SentimentGRU(nn.Module):
    def __init__(self, vocab_size, emb=24, hidden=32):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, emb)
        self.gru = nn.GRU(emb, hidden, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * hidden, 1)

    def forward(self, ids):
        out, _ = self.gru(self.embedding(ids))
        return self.fc(out.max(dim=1).values).squeeze(1)


def reviews(n, vocab_size=150, length=14):
    polarity = torch.zeros(vocab_size)
    polarity[:25], polarity[25:50] = 1.0, -1.0
    ids = torch.randint(0, vocab_size, (n, length))
    return ids, (polarity[ids].sum(1) + 0.1 > 0).float()


def train_epoch(model, loader, optimizer, scheduler, criterion):
    total = 0.0
    for ids, label in loader:
        optimizer.zero_grad()
        loss = criterion(model(ids), label)
        loss.backward()
        optimizer.step()
        scheduler.step()
        total += loss.item()
    return total / len(loader)


torch.manual_seed(40)
ids, label = reviews(640)
loader = DataLoader(TensorDataset(ids, label), batch_size=32, shuffle=True)
model = SentimentGRU(150)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
scheduler = ExponentialLR(optimizer, gamma=0.8)
criterion = nn.BCEWithLogitsLoss()
for epoch in range(10):
    mean = train_epoch(model, loader, optimizer, scheduler, criterion)
    print(f"epoch {epoch} loss {mean:.4f}")
