"""FPBench's expressions (fpbench.org, benchmarks/*.fpcore) as functions of arrays.

Each takes a namespace (`numpy`, `torch`, or mpmath's in `exact.py`) and its inputs. Ranges are FPBench's where it gives
any; for Hamming's, which it leaves open, they are where the formula is in trouble. Constants are Python's floats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Expression:
    name: str
    function: Callable[..., Any]
    ranges: tuple[tuple[float, float], ...]

    def __str__(self) -> str:
        return self.name


EXPRESSIONS: list[Expression] = []


def _fpbench(name: str, *ranges: tuple[float, float]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        EXPRESSIONS.append(Expression(name, function, ranges))
        return function

    return enter


def _short(name: str, function: Callable[..., Any], *ranges: tuple[float, float]) -> None:
    EXPRESSIONS.append(Expression(name, function, ranges))


# --- hamming-ch3: Hamming, "Numerical Methods for Scientists and Engineers", chapter 3 ---
_short("nmse-3.1", lambda xp, x: xp.sqrt(x + 1) - xp.sqrt(x), (1.0, 1e4))
_short("nmse-3.3", lambda xp, x, e: xp.sin(x + e) - xp.sin(x), (-3.0, 3.0), (1e-3, 1e-2))
_short("nmse-3.4", lambda xp, x: (1 - xp.cos(x)) / xp.sin(x), (0.01, 0.5))
_short("nmse-3.5", lambda xp, n: xp.arctan(n + 1) - xp.arctan(n), (1.0, 100.0))
_short("nmse-3.6", lambda xp, x: 1 / xp.sqrt(x) - 1 / xp.sqrt(x + 1), (1.0, 1e3))
_short("nmse-3.3.1", lambda xp, x: 1 / (x + 1) - 1 / x, (1.0, 1e3))
_short("nmse-3.3.2", lambda xp, x, e: xp.tan(x + e) - xp.tan(x), (-1.2, 1.2), (1e-3, 1e-2))
_short("nmse-3.3.3", lambda xp, x: 1 / (x + 1) - 2 / x + 1 / (x - 1), (2.0, 100.0))
_short("nmse-3.3.4", lambda xp, x: (x + 1) ** (1 / 3) - x ** (1 / 3), (1.0, 1e3))
_short("nmse-3.3.5", lambda xp, x, e: xp.cos(x + e) - xp.cos(x), (0.3, 3.0), (1e-3, 1e-2))
_short("nmse-3.3.6", lambda xp, n: xp.log(n + 1) - xp.log(n), (1.0, 1e3))
_short("nmse-3.3.7", lambda xp, x: xp.exp(x) - 2 + xp.exp(-x), (0.01, 2.0))
_short("nmse-p42-positive", lambda xp, a, b, c: (-b + xp.sqrt(b * b - 4 * (a * c))) / (2 * a),
       (0.5, 2.0), (5.0, 50.0), (0.1, 1.0))  # fmt: skip
_short("nmse-p42-negative", lambda xp, a, b, c: (-b - xp.sqrt(b * b - 4 * (a * c))) / (2 * a),
       (0.5, 2.0), (5.0, 50.0), (0.1, 1.0))  # fmt: skip
_short("nmse-3.2.1-positive", lambda xp, a, b, c: (-b + xp.sqrt(b * b - a * c)) / a,
       (0.5, 2.0), (5.0, 50.0), (0.1, 1.0))  # fmt: skip
_short("nmse-3.2.1-negative", lambda xp, a, b, c: (-b - xp.sqrt(b * b - a * c)) / a,
       (0.5, 2.0), (5.0, 50.0), (0.1, 1.0))  # fmt: skip
_short("nmse-3.7", lambda xp, x: xp.exp(x) - 1, (1e-3, 0.5))
_short("nmse-3.8", lambda xp, n: ((n + 1) * xp.log(n + 1) - n * xp.log(n)) - 1, (1.0, 500.0))
_short("nmse-3.9", lambda xp, x: 1 / x - 1 / xp.tan(x), (0.01, 1.0))
_short("nmse-3.10", lambda xp, x: xp.log(1 - x) / xp.log(1 + x), (0.01, 0.9))
_short("nmse-3.4.1", lambda xp, x: (1 - xp.cos(x)) / (x * x), (0.05, 1.0))
_short("nmse-3.4.2", lambda xp, a, b, e: (e * (xp.exp((a + b) * e) - 1)) / ((xp.exp(a * e) - 1) * (xp.exp(b * e) - 1)),
       (0.5, 2.0), (0.5, 2.0), (0.05, 0.5))  # fmt: skip
_short("nmse-3.4.3", lambda xp, e: xp.log((1 - e) / (1 + e)), (0.01, 0.9))
_short("nmse-3.4.4", lambda xp, x: xp.sqrt((xp.exp(2 * x) - 1) / (xp.exp(x) - 1)), (0.01, 2.0))
_short("nmse-3.4.5", lambda xp, x: (x - xp.sin(x)) / (x - xp.tan(x)), (0.2, 1.2))
_short("nmse-3.4.6", lambda xp, x, n: (x + 1) ** (1 / n) - x ** (1 / n), (1.0, 100.0), (2.0, 8.0))
_short("nmse-3.5-section", lambda xp, a, x: xp.exp(a * x) - 1, (0.1, 1.0), (0.01, 0.5))
_short("nmse-3.11-section", lambda xp, x: xp.exp(x) / (xp.exp(x) - 1), (0.01, 2.0))


# --- rosa ---
def _doppler(xp: Any, u: Any, v: Any, t: Any) -> Any:
    t1 = 331.4 + 0.6 * t
    return (-t1 * v) / ((t1 + u) * (t1 + u))


_short("doppler1", _doppler, (-100.0, 100.0), (20.0, 20000.0), (-30.0, 50.0))
_short("doppler2", _doppler, (-125.0, 125.0), (15.0, 25000.0), (-40.0, 60.0))
_short("doppler3", _doppler, (-30.0, 120.0), (320.0, 20300.0), (-50.0, 30.0))
_short("rigid-body-1", lambda xp, a, b, c: ((-(a * b) - (2 * b) * c) - a) - c, *[(-15.0, 15.0)] * 3)
_short("rigid-body-2", lambda xp, a, b, c: ((((2 * a) * b) * c + (3 * c) * c) - ((b * a) * b) * c + (3 * c) * c) - b,
       *[(-15.0, 15.0)] * 3)  # fmt: skip


@_fpbench("jet-engine", (-5.0, 5.0), (-20.0, 5.0))
def _jet_engine(xp: Any, x1: Any, x2: Any) -> Any:
    t = (3 * x1) * x1 + 2 * x2 - x1
    t_star = (3 * x1) * x1 - 2 * x2 - x1
    d = x1 * x1 + 1
    s, s_star = t / d, t_star / d
    first = ((2 * x1) * s) * (s - 3) + (x1 * x1) * (4 * s - 6)
    return x1 + ((((first * d + ((3 * x1) * x1) * s) + (x1 * x1) * x1) + x1) + 3 * s_star)


_TURBINE = ((-4.5, -0.3), (0.4, 0.9), (3.8, 7.8))
_short("turbine1", lambda xp, v, w, r: 3 + 2 / (r * r) - ((0.125 * (3 - 2 * v)) * (((w * w) * r) * r)) / (1 - v) - 4.5,
       *_TURBINE)  # fmt: skip
_short("turbine2", lambda xp, v, w, r: 6 * v - ((0.5 * v) * (((w * w) * r) * r)) / (1 - v) - 2.5, *_TURBINE)
_short("turbine3", lambda xp, v, w, r: 3 - 2 / (r * r) - ((0.125 * (1 + 2 * v)) * (((w * w) * r) * r)) / (1 - v) - 0.5,
       *_TURBINE)  # fmt: skip
_short("verhulst", lambda xp, x: (4.0 * x) / (1 + x / 1.11), (0.1, 0.3))
_short("predator-prey", lambda xp, x: ((4.0 * x) * x) / (1 + (x / 1.11) * (x / 1.11)), (0.1, 0.3))
_short("carbon-gas", lambda xp, v: (3.5e7 + (0.401 * (1000 / v)) * (1000 / v)) * (v - 1000 * 42.7e-6)
       - (1.3806503e-23 * 1000) * 300, (0.1, 0.5))  # fmt: skip
_short("sine", lambda xp, x: x - ((x * x) * x) / 6.0 + ((((x * x) * x) * x) * x) / 120
       - ((((((x * x) * x) * x) * x) * x) * x) / 5040, (-1.57, 1.57))  # fmt: skip
_short("sqroot", lambda xp, x: 1.0 + 0.5 * x - (0.125 * x) * x + ((0.0625 * x) * x) * x
       - (((0.0390625 * x) * x) * x) * x, (0.0, 1.0))  # fmt: skip
_short("sine-order-3", lambda xp, x: 0.954929658551372 * x - 0.12900613773279798 * ((x * x) * x), (-2.0, 2.0))
_short("smart-root", lambda xp, c: (c * 2) / (-3.5 - xp.sqrt(3.5 * 3.5 - (3 * c) * 4.0)), (-2.0, 0.7))
_short("square-root-3", lambda xp, x: xp.sqrt(1 + x), (1e-4, 10.0))
_short("bspline3", lambda xp, u: -((u * u) * u) / 6, (0.0, 1.0))


@_fpbench("triangle", (8.99, 9.0), (4.71, 4.89), (4.71, 4.89))
def _triangle(xp: Any, a: Any, b: Any, c: Any) -> Any:
    s = ((a + b) + c) / 2
    return xp.sqrt(((s * (s - a)) * (s - b)) * (s - c))


@_fpbench("triangle-sorted", (3.0, 4.0), (4.5, 5.0), (6.0, 7.0))
def _triangle_sorted(xp: Any, a: Any, b: Any, c: Any) -> Any:
    return xp.sqrt((((c + (b + a)) * (a - (c - b))) * (a + (c - b))) * (c + (b - a))) / 4.0


@_fpbench("n-body", (1.0, 6.0), (1.0, 6.0), (-0.2, 0.2), (-3.0, 3.0), (-3.0, 3.0), (-0.1, 0.1))
def _n_body(xp: Any, x: Any, y: Any, z: Any, vx: Any, vy: Any, vz: Any) -> Any:
    for _ in range(5):
        distance = xp.sqrt((x * x + y * y) + z * z)
        mag = 0.1 / ((distance * distance) * distance)
        vx, vy, vz = (v - (p * 39.47841760435743) * mag for v, p in ((vx, x), (vy, y), (vz, z)))
        x, y, z = x + 0.1 * vx, y + 0.1 * vy, z + 0.1 * vz
    return x


@_fpbench("pendulum", (-2.0, 2.0), (-5.0, 5.0))
def _pendulum(xp: Any, t: Any, w: Any) -> Any:
    for _ in range(20):
        k1w = (-9.80665 / 2.0) * xp.sin(t)
        k2t = w + (0.01 / 2) * k1w
        k2w = (-9.80665 / 2.0) * xp.sin(t + (0.01 / 2) * w)
        t, w = t + 0.01 * k2t, w + 0.01 * k2w
    return t


@_fpbench("sine-newton", (0.2, 1.0))
def _sine_newton(xp: Any, x: Any) -> Any:
    for _ in range(2):
        top = ((x - x**3 / 6.0) + x**5 / 120.0) + x**7 / 5040.0
        x = x - top / (((1.0 - (x * x) / 2.0) + x**4 / 24.0) + x**6 / 720.0)
    return x


# --- daisy ---
_short("cartesian-to-polar-radius", lambda xp, x, y: xp.sqrt(x * x + y * y), (1.0, 100.0), (1.0, 100.0))
_short("cartesian-to-polar-theta", lambda xp, x, y: xp.arctan(y / x) * (180.0 / 3.14159265359), *[(1.0, 100.0)] * 2)
_short("polar-to-cartesian-x", lambda xp, r, a: r * xp.cos(a * (3.14159265359 / 180.0)), (1.0, 10.0), (0.0, 360.0))
_short("polar-to-cartesian-y", lambda xp, r, a: r * xp.sin(a * (3.14159265359 / 180.0)), (1.0, 10.0), (0.0, 360.0))


@_fpbench("instantaneous-current", (0.0, 300.0), (1.0, 50.0), (1.0, 100.0), (0.001, 0.004), (1.0, 12.0))
def _instantaneous_current(xp: Any, t: Any, resistance: Any, frequency: Any, inductance: Any, voltage: Any) -> Any:
    pi = 3.14159265359
    reactance = ((2 * pi) * frequency) * inductance
    size = resistance * resistance + reactance * reactance
    real, imaginary = (voltage * resistance) / size, -(voltage * reactance) / size
    most = xp.sqrt(real * real + imaginary * imaginary)
    return most * xp.cos(((2 * pi) * frequency) * t + xp.arctan(imaginary / real))


_NINE = [(-10.0, 10.0)] * 9
_short("matrix-determinant", lambda xp, a, b, c, d, e, f, g, h, i: ((a * e) * i + (b * f) * g + (c * d) * h)
       - ((c * e) * g + (b * d) * i + (a * f) * h), *_NINE)  # fmt: skip
_short("matrix-determinant-2", lambda xp, a, b, c, d, e, f, g, h, i: (a * (e * i) + (g * (b * f) + c * (d * h)))
       - (e * (c * g) + (i * (b * d) + a * (f * h))), *_NINE)  # fmt: skip

# --- fptaylor-extra ---
_SIX = [(4.0, 6.36)] * 6
_short("delta4", lambda xp, a, b, c, d, e, f: -b * c - a * d + b * e + c * f - e * f + a * (-a + b + c - d + e + f),
       *_SIX)  # fmt: skip
_short("delta", lambda xp, a, b, c, d, e, f: a * d * (-a + b + c - d + e + f) + b * e * (a - b + c + d - e + f)
       + c * f * (a + b - c + d + e - f) - b * c * d - a * c * e - a * b * f - d * e * f, *_SIX)  # fmt: skip
_short("sqrt-add", lambda xp, x: 1 / (xp.sqrt(x + 1) + xp.sqrt(x)), (1.0, 1000.0))
_short("exp1x", lambda xp, x: (xp.exp(x) - 1) / x, (0.01, 0.5))
_short("exp1x-log", lambda xp, x: (xp.exp(x) - 1) / xp.log(xp.exp(x)), (0.01, 0.5))
_short("floudas", lambda xp, a, b: a + b, (0.0, 2.0), (0.0, 3.0))
_short("x-by-xy", lambda xp, x, y: x / (x + y), (1.0, 4.0), (1.0, 4.0))
_short("logexp", lambda xp, x: xp.log(1 + xp.exp(x)), (-8.0, 8.0))
_short("sum", lambda xp, a, b, c: ((a + b - c) + (b + c - a)) + (c + a - b), *[(1.0, 2.0)] * 3)
_short("nonlin1", lambda xp, z: z / (z + 1), (0.0, 999.0))
_short("nonlin2", lambda xp, x, y: (x * y - 1) / ((x * y) * (x * y) - 1), (1.001, 2.0), (1.001, 2.0))
_short("i4", lambda xp, x, y: xp.sqrt(x + y * y), (0.1, 10.0), (-5.0, 5.0))
_short("i6", lambda xp, x, y: xp.sin(x * y), (0.1, 10.0), (-5.0, 5.0))
_short("himmelblau", lambda xp, x, y: (x * x + y - 11) * (x * x + y - 11) + (x + y * y - 7) * (x + y * y - 7),
       (-5.0, 5.0), (-5.0, 5.0))  # fmt: skip

# --- fptaylor-real2float ---
_short("sphere", lambda xp, x, r, lat, lon: x + (r * xp.sin(lat)) * xp.cos(lon),
       (-10.0, 10.0), (0.0, 10.0), (-1.570796, 1.570796), (-3.14159265, 3.14159265))  # fmt: skip
_short("azimuth", lambda xp, a, b, c, d: xp.arctan((xp.cos(b) * xp.sin(d - c)) / (xp.cos(a) * xp.sin(b)
       - (xp.sin(a) * xp.cos(b)) * xp.cos(d - c))), (0.0, 0.4), (0.5, 1.0), (0.0, 3.14), (-3.14, -0.5))  # fmt: skip
_short("floudas1", lambda xp, a, b, c, d, e, f: -25 * ((a - 2) * (a - 2)) - (b - 2) * (b - 2) - (c - 1) * (c - 1)
       - (d - 4) * (d - 4) - (e - 1) * (e - 1) - (f - 4) * (f - 4),
       (0.0, 6.0), (0.0, 6.0), (1.0, 5.0), (0.0, 6.0), (0.0, 6.0), (0.0, 10.0))  # fmt: skip
_short("floudas2", lambda xp, a, b: -a - b, (0.0, 3.0), (0.0, 4.0))
_short("floudas3", lambda xp, a, b: -12 * a - 7 * b + b * b, (0.0, 2.0), (0.0, 3.0))


@_fpbench("hartman3", (0.0, 1.0), (0.0, 1.0), (0.0, 1.0))
def _hartman3(xp: Any, x1: Any, x2: Any, x3: Any) -> Any:
    rows = (
        (1.0, (3.0, 0.3689), (10.0, 0.117), (30.0, 0.2673)),
        (1.2, (0.1, 0.4699), (10.0, 0.4387), (35.0, 0.747)),
        (3.0, (3.0, 0.1091), (10.0, 0.8732), (30.0, 0.5547)),
        (3.2, (0.1, 0.03815), (10.0, 0.5743), (35.0, 0.8828)),
    )
    total = None
    for weight, *terms in rows:
        e = None
        for x, (scale, centre) in zip((x1, x2, x3), terms, strict=True):
            term = scale * ((x - centre) * (x - centre))
            e = term if e is None else e + term
        part = weight * xp.exp(-e)
        total = part if total is None else total + part
    return -total


_short("kepler0", lambda xp, a, b, c, d, e, f: b * e + c * f - b * c - e * f + a * (-a + b + c - d + e + f), *_SIX)
_short("kepler1", lambda xp, a, b, c, d: (a * d) * (-a + b + c - d) + b * (a - b + c + d) + c * (a + b - c + d)
       - (b * c) * d - a * c - a * b - d, *_SIX[:4])  # fmt: skip
_short("kepler2", lambda xp, a, b, c, d, e, f: (a * d) * (-a + b + c - d + e + f) + (b * e) * (a - b + c + d - e + f)
       + (c * f) * (a + b - c + d + e - f) - (b * c) * d - (a * c) * e - (a * b) * f - (d * e) * f, *_SIX)  # fmt: skip

# --- fptaylor-tests ---
_short("intro-example", lambda xp, t: t / (t + 1), (0.0, 999.0))
_short("sum8", lambda xp, a, b, c, d, e, f, g, h: a + b + c + d + e + f + g + h, *[(1.0, 2.0)] * 8)
_short("test03-nonlin2", lambda xp, x, y: (x + y) / (x - y), (0.0, 1.0), (-1.0, -0.1))


@_fpbench("dqmom9", *[(-1.0, 1.0)] * 3, *[(0.01, 1.0)] * 6)
def _dqmom9(xp: Any, m0: Any, m1: Any, m2: Any, w0: Any, w1: Any, w2: Any, a0: Any, a1: Any, a2: Any) -> Any:
    v2 = (w2 * (0 - m2)) * (-3 * ((1 * (a2 / w2)) * (a2 / w2)))
    v1 = (w1 * (0 - m1)) * (-3 * ((1 * (a1 / w1)) * (a1 / w1)))
    v0 = (w0 * (0 - m0)) * (-3 * ((1 * (a0 / w0)) * (a0 / w0)))
    return 0.0 + (v0 * 1 + (v1 * 1 + (v2 * 1 + 0.0)))


_short("test05-r4", lambda xp, x: (x - 1) / (x * x - 1), (1.00001, 2.0))
_short("test05-test2", lambda xp, x: 1 / (x + 1), (1.00001, 2.0))
_short("test06-sum1", lambda xp, a, b, c, d: ((a + b) + c) + d, (-1e-5, 1.0), *[(0.0, 1.0)] * 3)
_short("test06-sum2", lambda xp, a, b, c, d: (a + b) + (c + d), (-1e-5, 1.0), *[(0.0, 1.0)] * 3)

# --- herbie ---
_short("complex-square-root", lambda xp, re, im: 0.5 * xp.sqrt(2.0 * (xp.sqrt(re * re + im * im) + re)),
       (-20.0, -1.0), (0.1, 2.0))  # fmt: skip
_short("complex-sine", lambda xp, re, im: (0.5 * xp.sin(re)) * (xp.exp(-im) - xp.exp(im)), (-3.0, 3.0), (0.01, 2.0))


@_fpbench("clustering", (0.5, 3.0), (0.5, 3.0), (-3.0, 3.0), (-3.0, 3.0))
def _clustering(xp: Any, cp: Any, cn: Any, t: Any, s: Any) -> Any:
    p, q = 1 / (1 + xp.exp(-s)), 1 / (1 + xp.exp(-t))
    return (p**cp * (1 - p) ** cn) / (q**cp * (1 - q) ** cn)


# --- rump: every digit cancels at a = 77617, b = 33096 (Loh & Walster 2002) ---
@_fpbench("rump", (77617.0, 77617.0), (33096.0, 33096.0))
def _rump(xp: Any, a: Any, b: Any) -> Any:
    b2 = b * b
    b4 = b2 * b2
    b6, b8, a2 = b4 * b2, b4 * b4, a * a
    first = (11 * a2) * b2 - b6 - 121 * b4 - 2
    return 333.75 * b6 + a2 * first + 5.5 * b8 + a / (2 * b)


# --- salsa, apron, graphics are programs with loops over constants; their straight lines are covered by the above ---
