"""Heat in a rod between a hot and a cold end, explicit time stepping in half precision."""
import torch

torch.manual_seed(0)
points, steps = 65, 6000
dtype = torch.float32
length, conductivity = 1.0, 1.0
dx = length / (points - 1)
dt = 0.02 * dx * dx / conductivity

u = torch.full((points,), 20.0, dtype=dtype)
u[0], u[-1] = 100.0, 20.0
factor = torch.tensor(conductivity * dt / dx ** 2, dtype=dtype)


def laplacian(u):
    return u[2:] - 2 * u[1:-1] + u[:-2]


for step in range(steps + 1):
    if step % 1000 == 0:
        profile = u[[8, 16, 32, 48]].float()
        flux = (u[0] - u[1]).float() / dx
        print(f"step {step:5d} time {step * dt:.4f} temperature at 1/8, 1/4, 1/2, 3/4: "
              f"{[round(v, 2) for v in profile.tolist()]} flux {flux.item():.1f}")
    u[1:-1] += factor * laplacian(u)

content = (u.float() - 20).mean() * length
depth = (u.float() > 21).sum().item() * dx
print(f"heat content above 20 degrees: {content.item():.3f}")
print(f"rod warmer than 21 degrees up to {depth:.3f} of its length")
