import numpy as np

rng = np.random.default_rng(7)
EAST, NORTH = 98_400.0, 121_750.0


def parcel():
    corners = int(rng.integers(4, 9))
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = rng.uniform(8, 22, corners)
    centre = np.array([EAST, NORTH]) + rng.uniform(-900, 900, 2)
    ring = centre + np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return ring.astype(np.float32)


def polygon_area(ring):
    x, y = ring[:, 0], ring[:, 1]
    x_next, y_next = np.roll(x, -1), np.roll(y, -1)
    return 0.5 * np.abs(np.sum(x * y_next - x_next * y))


parcels = [parcel() for _ in range(250)]
areas = np.array([polygon_area(ring) for ring in parcels])
perimeters = np.array([np.hypot(*(np.roll(r, -1, axis=0) - r).T).sum() for r in parcels])
print("parcels:", len(areas))
print("total area [m2]:", round(float(areas.sum(dtype=np.float64)), 1))
print("median area [m2]:", round(float(np.median(areas)), 1))
print("smallest / largest [m2]:", round(float(areas.min()), 1), round(float(areas.max()), 1))
compactness = 4 * np.pi * areas / perimeters**2
print("most compact parcel (a circle has 1):", round(float(compactness.max()), 3))
print("parcels below 50 m2:", int((areas < 50).sum()))
