import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, n_classes):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 16, kernel_size=3)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(16 * 2 * 2, 40)
        self.fc2 = nn.Linear(40, n_classes)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(x.size(0), -1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


def train(model, images, labels, epochs=8, batch_size=50):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    for epoch in range(epochs):
        perm = torch.randperm(len(images))
        total = correct = 0
        for i in range(0, len(images), batch_size):
            data, target = images[perm[i:i + batch_size]], labels[perm[i:i + batch_size]]
            optimizer.zero_grad()
            output = F.log_softmax(model(data), dim=1)
            loss = F.nll_loss(output, target)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(data)
            correct += (output.argmax(1) == target).sum().item()
        print(f"Train Epoch: {epoch} Loss: {total / len(images):.4f} Accuracy: {correct / len(images):.3f}")


torch.manual_seed(2)
glyphs = (torch.rand(10, 1, 18, 18) < 0.3).float()
labels = torch.randint(0, 10, (1000,))
images = 0.8 * glyphs[labels] + 0.5 * torch.rand(1000, 1, 18, 18)
train(Net(10), images, labels)
