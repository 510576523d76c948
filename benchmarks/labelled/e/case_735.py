import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)
INTENTS, VOCAB, LENGTH = 60, 500, 10
profile = torch.stack([torch.randperm(VOCAB)[:8] for _ in range(INTENTS)])
labels = torch.randint(0, INTENTS, (3000,))
signal = profile[labels.unsqueeze(1), torch.randint(0, 8, (3000, LENGTH))]
noise = torch.randint(0, VOCAB, (3000, LENGTH))
tokens = torch.where(torch.rand(3000, LENGTH) < 0.3, noise, signal)
loader = DataLoader(TensorDataset(tokens, labels), batch_size=100, shuffle=True)


class IntentClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.EmbeddingBag(VOCAB, 64, mode="mean")
        self.hidden = nn.Linear(64, 128)
        self.out = nn.Linear(128, INTENTS)

    def forward(self, x):
        h = torch.tanh(self.hidden(self.embed(x)))
        return self.out(h)


model = IntentClassifier()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(9):
    total, correct = 0.0, 0
    for x, y in loader:
        out = model(x)
        loss = criterion(out, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
        correct += (out.argmax(1) == y).sum().item()
    print(f"epoch {epoch} loss {total / 3000:.4f} accuracy {correct / 3000:.3f}")
