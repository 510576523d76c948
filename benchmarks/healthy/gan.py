"""GAN on a ring of Gaussians, two optimizers"""

import torch
from torch import nn


def ring(count):
    angle = torch.randint(8, (count,)) * 2 * torch.pi / 8
    return torch.stack([angle.cos(), angle.sin()], dim=1) + 0.05 * torch.randn(count, 2)


def mlp(inputs, outputs, width=64):
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, outputs),
    )


def main(steps=600, batch=64, latent=8):
    torch.manual_seed(0)
    generator, discriminator = mlp(latent, 2), mlp(2, 1)
    generator_optimizer = torch.optim.Adam(generator.parameters(), lr=5e-4, betas=(0.5, 0.999))
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=5e-4, betas=(0.5, 0.999))
    criterion = nn.BCEWithLogitsLoss()
    real_label, fake_label = torch.ones(batch, 1), torch.zeros(batch, 1)

    for step in range(steps):
        fake = generator(torch.randn(batch, latent))
        d_loss = criterion(discriminator(ring(batch)), real_label) + criterion(discriminator(fake.detach()), fake_label)
        discriminator_optimizer.zero_grad()
        d_loss.backward()
        discriminator_optimizer.step()

        g_loss = criterion(discriminator(fake), real_label)
        generator_optimizer.zero_grad()
        g_loss.backward()
        generator_optimizer.step()
        if step % 100 == 0:
            radius = fake.detach().norm(dim=1)
            print(f"step {step}: D {d_loss.item():.3f} G {g_loss.item():.3f} radius {radius.mean():.2f}")


if __name__ == "__main__":
    main()
