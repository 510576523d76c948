"""Streaming sine oscillator: render a minute in blocks and null it against the ideal tone."""
import math

import torch

sample_rate, block = 44_100, 512
frequency = 1760.0
seconds = 60


class Oscillator:
    def __init__(self, frequency):
        self.omega = torch.tensor(2 * math.pi * frequency / sample_rate, dtype=torch.float64)
        self.phase = torch.zeros((), dtype=torch.float64)
        self.ramp = torch.arange(1, block + 1, dtype=torch.float64)

    def render(self):
        phase = self.phase + self.omega * self.ramp
        self.phase = phase[-1]
        return torch.sin(phase)


oscillator = Oscillator(frequency)
blocks = int(seconds * sample_rate / block)
omega = float(oscillator.omega)
for index in range(blocks):
    audio = oscillator.render()
    if index % (blocks // 6) == 0 or index == blocks - 1:
        n = torch.arange(1, block + 1, dtype=torch.float64) + index * block
        ideal = torch.sin((omega * n) % (2 * math.pi))
        residual = audio.double() - ideal
        level = 10 * torch.log10((residual ** 2).mean() / (ideal ** 2).mean())
        spectrum = torch.fft.rfft(audio * torch.hann_window(block)).abs()
        peak = spectrum.argmax().item()
        floor = spectrum[peak + 8:].mean() / spectrum[peak]
        print(f"second {index * block / sample_rate:5.1f} null {level.item():7.1f} dB, "
              f"noise floor {20 * math.log10(floor.item()):6.1f} dB")
