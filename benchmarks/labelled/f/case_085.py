"""Rank the conformers of a molecule with a per-atom energy model."""
import torch
from torch import nn

torch.manual_seed(11)
atoms, conformers = 190, 300
species = torch.randint(0, 4, (atoms,))
self_energy = torch.tensor([-0.600953, -38.083174, -54.707756, -75.194466])


class AtomicEnergies(nn.Module):
    def __init__(self, descriptors=16):
        super().__init__()
        self.embedding = nn.Embedding(4, 8)
        self.layers = nn.Sequential(nn.Linear(descriptors + 8, 32), nn.CELU(), nn.Linear(32, 1))

    def forward(self, species, descriptors):
        kind = self.embedding(species).expand(descriptors.shape[0], -1, -1)
        return self.layers(torch.cat([descriptors, kind], dim=-1)).squeeze(-1)


def molecular_energy(model, species, descriptors):
    correction = 5e-2 * model(species, descriptors)
    return (correction + self_energy[species]).sum(1)


model = AtomicEnergies()
base = torch.randn(1, atoms, 16)
descriptors = base + 0.02 * torch.randn(conformers, atoms, 16)
with torch.no_grad():
    energy = molecular_energy(model, species, descriptors)
relative = (energy - energy.min()) * 627.509
order = relative.argsort()
print("lowest total energy [Ha]:", energy.min().item())
print("relative energies of the best ten [kcal/mol]:", [round(v, 4) for v in relative[order[:10]].tolist()])
print("different energies among", conformers, "conformers:", relative.unique().numel())
kept = relative < 0.1
print("conformers within 0.1 kcal/mol:", int(kept.sum()))
weights = torch.softmax(-relative / 0.593, dim=0)
print("population of the best conformer:", weights.max().item())
