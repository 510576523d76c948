import torch

torch.manual_seed(17)
CLASSES = 8
truth = torch.randn(6000, CLASSES)
label = torch.distributions.Categorical(logits=1.2 * truth).sample()
logits = (3.5 * truth).half()


def nll(temperature, idx):
    z = logits[idx] / temperature
    logp = torch.log_softmax(z.float(), dim=1)
    return -logp.gather(1, label[idx, None]).mean()


def calibrate(temperature, lr, steps):
    for step in range(steps):
        idx = torch.randint(0, len(label), (256,))
        loss = nll(temperature, idx)
        loss.backward()
        with torch.no_grad():
            temperature -= lr * temperature.grad
            temperature.grad.zero_()
        if step % 600 == 0:
            print(f"step {step} nll {loss.item():.4f} temperature {temperature.item():.4f}")
    return temperature


lr = 3e-4
temperature = torch.ones(1, dtype=torch.float16, requires_grad=True)
everything = torch.arange(len(label))
before = nll(temperature, everything).item()
temperature = calibrate(temperature, lr, 6000)
after = nll(temperature, everything).item()
print(f"nll before {before:.4f} after {after:.4f}; temperature {temperature.item():.4f}")
