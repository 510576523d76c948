"""Principal axis of a point cloud by power iteration, stopped when nothing changes any more."""
import torch

torch.manual_seed(43)
points = torch.randn(3000, 6) @ torch.diag(torch.tensor([3.0, 1.5, 1.0, 0.8, 0.5, 0.2]))
rotation, _ = torch.linalg.qr(torch.randn(6, 6))
points = points @ rotation.T
centred = points - points.mean(0)
covariance = centred.T @ centred / (len(points) - 1)

axis = torch.ones(6) / 6 ** 0.5
previous = torch.zeros(6)
for iteration in range(200):
    product = covariance @ axis
    eigenvalue = axis @ product
    previous, axis = axis, product / product.norm()
    change = (axis - previous).norm()
    if iteration % 5 == 0:
        residual = (product - eigenvalue * previous).norm()
        print(f"iteration {iteration:3d} eigenvalue {eigenvalue:.6f} residual {residual:.2e} change {change:.2e}")
    if torch.equal(axis, previous) or change < 1e-6:
        print("converged after", iteration + 1, "iterations")
        break
reference = torch.linalg.eigvalsh(covariance)[-1]
print("largest eigenvalue:", round(eigenvalue.item(), 5), "by LAPACK:", round(reference.item(), 5))
print("alignment with the true axis:", round((axis @ rotation[:, 0]).abs().item(), 5))
