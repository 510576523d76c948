import torch
import torch.nn as nn

torch.manual_seed(16)


class GestureLSTM(nn.Module):
    def __init__(self, n_in, n_hidden, n_classes, t_max):
        super().__init__()
        self.lstm = nn.LSTM(n_in, n_hidden, batch_first=True)
        self.fc = nn.Linear(n_hidden, n_classes)
        self.chrono_init(n_hidden, t_max)

    @torch.no_grad()
    def chrono_init(self, n, t_max):
        time_scale = torch.empty(n).uniform_(1, t_max - 1)
        self.lstm.bias_hh_l0.zero_()
        self.lstm.bias_ih_l0.zero_()
        self.lstm.bias_ih_l0[n:2 * n] = torch.log(time_scale)
        self.lstm.bias_ih_l0[:n] = -torch.log(time_scale)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out[:, -1])


def gestures(n, length=50):
    label = torch.randint(0, 4, (n,))
    phase = torch.rand(n, 1) * 6.28
    speed = torch.where(label % 2 == 0, 0.25, 0.45).unsqueeze(1)
    direction = torch.where(label < 2, 1.0, -1.0).unsqueeze(1)
    t = torch.arange(length)[None, :] * speed + phase
    xyz = torch.stack([t.cos(), direction * t.sin(), 0.1 * t.cos()], -1)
    return xyz + 0.1 * torch.randn_like(xyz), label


model = GestureLSTM(3, 32, 4, t_max=400)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=60, gamma=0.5)
for step in range(160):
    x, label = gestures(48)
    loss = nn.functional.cross_entropy(model(x), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 16 == 15:
        print(f"step {step + 1} loss {loss.item():.4f}")
