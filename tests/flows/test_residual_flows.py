"""Planar, radial and Sylvester flows: their constraints over random parameters, their densities, and extreme inputs."""

from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, jacobian
from scratchgen.distributions import Independent, Normal
from scratchgen.flows import Flow, Inverse, Planar, Radial, Sylvester, root
from tests.flows.brute_force import plain

MAKERS: dict[str, Any] = {
    "planar": lambda dims, rng: Planar(dims, rng, dtype=np.float64),
    "radial": lambda dims, rng: Radial(dims, rng, dtype=np.float64),
    "sylvester": lambda dims, rng: Sylvester(dims, rng, dtype=np.float64),
}


def moved(name: str, seed: int, scale: float, dims: int = 3) -> Any:
    """With parameters far from where they start."""
    rng = np.random.default_rng(seed)
    f = MAKERS[name](dims, rng)
    for t in f.parameters().values():
        t.assign(t.data + scale * rng.standard_normal(t.shape))
    return f


# -- constraints -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-3, 1.0, 5.0])
def test_the_constraint_of_the_planar_flow(scale: float) -> None:
    """(3): wᵀû is log(1 + exp(wᵀu)) − 1 > −1 for any u and w; across w, u stays what it was."""
    for seed in range(50):
        f = moved("planar", seed, scale)
        w, u = f.w.data, f.u.data
        constrained, product = (plain(t) for t in f.direction())
        np.testing.assert_allclose(w @ constrained, np.log1p(np.exp(w @ u)) - 1, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(product, np.log1p(np.exp(w @ u)), rtol=1e-10)
        across = np.eye(3) - np.outer(w, w) / (w @ w)
        np.testing.assert_allclose(across @ constrained, across @ u, rtol=1e-10, atol=1e-10 * scale)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_the_determinant_is_positive(name: str, scale: float) -> None:
    """det > 0 over random parameters, by the formulas and by the whole Jacobian; finite in float32."""
    for seed in range(20):
        f, x = moved(name, seed, scale), np.random.default_rng(seed).standard_normal((4, 3))
        assert np.isfinite(plain(f(x)[1])).all()
        J = jacobian(lambda row, f=f: f(row[None])[0][0])(x[0])
        sign, logabsdet = np.linalg.slogdet(plain(J))
        assert sign == 1
        np.testing.assert_allclose(plain(f(x)[1])[0], logabsdet, rtol=1e-6, atol=1e-6)  # J may be near singular
        assert np.isfinite(plain(f.astype(np.float32)(x.astype(np.float32))[1])).all()


@pytest.mark.parametrize("name", MAKERS)
def test_no_two_x_have_one_z(name: str) -> None:
    """In one dimension z increases in x, whatever the parameters."""
    x = np.linspace(-8, 8, 4001)[:, None]
    for seed in range(30):
        z = plain(moved(name, seed, 4.0, dims=1)(x)[0])
        assert np.all(np.diff(z[:, 0]) >= 0) and z[-1, 0] - z[0, 0] > 0.01


def test_what_is_trained() -> None:
    """And that a step starts with vectors of length about 1, whatever D is."""
    f = Planar(10_000, 0)
    assert {name: t.shape for name, t in f.parameters().items()} == {"w": (10_000,), "u": (10_000,), "b": (1,)}
    np.testing.assert_allclose([np.linalg.norm(f.w.data), np.linalg.norm(f.u.data)], 1, atol=0.05)
    assert set(Radial(3, 0).parameters()) == {"centre", "log_alpha", "raw_beta"}
    g = Sylvester(200, 0)
    assert {name: t.shape[0] for name, t in g.parameters().items()} == {"basis.V": 200, "R": 200, "R_in": 200, "b": 200}
    np.testing.assert_allclose([g.R.data.std(), g.R_in.data.std()], 200**-0.5, rtol=0.05)


def test_every_entry_of_the_triangles_is_used() -> None:
    """The gradients to R and R̃ are not 0 on and above the diagonals, and 0 below."""
    f, x = moved("sylvester", 1, 0.5), np.random.default_rng(0).standard_normal((6, 3))
    z, logabsdet = f(x)
    (np.sum(z * x[::-1]) + np.sum(logabsdet)).backward()
    for t in (f.R, f.R_in):
        assert np.all((np.abs(t.grad) > 1e-6) == np.triu(np.ones((3, 3), bool)))


# -- densities -------------------------------------------------------------------------------------------------------


def grid(reach: float, n: int) -> tuple[np.ndarray, float]:
    """n² points of the plane, and the area of each."""
    axis = np.linspace(-reach, reach, n)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2), float((axis[1] - axis[0]) ** 2)


@pytest.mark.parametrize("name", ["planar", "sylvester"])
@pytest.mark.parametrize("turned", [False, True])
def test_densities_integrate_to_1(name: str, turned: bool) -> None:
    """On a grid, by the sum over its points, which for smooth densities converges faster than any power."""
    f = moved(name, seed=2, scale=0.3, dims=2)
    flow = Flow(Inverse(f) if turned else f, Independent(Normal(np.zeros(2), np.zeros(2)), 1))
    x, area = grid(9.0, 181)
    assert np.exp(plain(flow.log_prob(x))).sum() * area == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_the_radial_density_integrates_to_1(turned: bool) -> None:
    """In polar coordinates around the centre, where it has a tip: Gauss–Legendre nodes along the radius."""
    f = moved("radial", seed=3, scale=0.3, dims=2)
    flow = Flow(Inverse(f) if turned else f, Independent(Normal(np.zeros(2), np.zeros(2)), 1))
    nodes, weights = np.polynomial.legendre.leggauss(100)
    r, angle = 6 * (nodes + 1), np.linspace(0, 2 * np.pi, 80, endpoint=False)
    around = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    x = f.centre.data + r[:, None, None] * around  # (100, 80, 2)
    p = np.exp(plain(flow.log_prob(x.reshape(-1, 2)))).reshape(100, 80)
    assert np.sum(6 * weights * r * p.mean(axis=1) * 2 * np.pi) == pytest.approx(1, abs=1e-8)


def test_the_radial_flow_by_hand() -> None:
    """α = 2, β = −1.5, r = 3 in three dimensions: R = 3 − 4.5/5, det = (1 − 1.5/5)² (1 − 3/25)."""
    f = Radial(3, 0, dtype=np.float64)
    f.centre.assign([1.0, 0, 0])
    f.log_alpha.assign(np.log([2.0]))
    f.raw_beta.assign(np.log(np.expm1([0.5])))
    z, logabsdet = f(np.array([[1.0, 0.0, 3.0]]))
    np.testing.assert_allclose(z.data, [[1.0, 0.0, 2.1]], rtol=1e-13)
    np.testing.assert_allclose(np.exp(logabsdet.data), [0.7**2 * 0.88], rtol=1e-13)


def test_the_radial_flow_starts_as_the_identity() -> None:
    x = np.random.default_rng(0).standard_normal((4, 3))
    z, logabsdet = Radial(3, 0, dtype=np.float64)(x)
    np.testing.assert_allclose(z.data, x, rtol=1e-14)
    np.testing.assert_allclose(logabsdet.data, 0, atol=1e-14)


# -- extremes and failures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("scale", [1e-8, 1e3, 1e8])
def test_inputs_far_out_and_near_0(name: str, scale: float) -> None:
    """Both directions and their gradients are finite, and undo each other to rounding."""
    f, x = moved(name, 1, 0.5), scale * np.random.default_rng(0).standard_normal((5, 3))
    z, there = f(Tensor(x, requires_grad=True))
    leaf = Tensor(z.data, requires_grad=True)
    again, back = f.inverse(leaf)
    (np.sum(again) + np.sum(back)).backward()
    np.testing.assert_allclose(again.data, x, rtol=0, atol=1e-13 * max(1, scale))
    np.testing.assert_allclose(back.data, -there.data, rtol=0, atol=1e-12)
    assert np.isfinite(leaf.grad).all()


def test_at_the_centre_itself() -> None:
    """x = c stays there; its determinant is (s/α)^D, and no gradient is NaN."""
    f = moved("radial", 1, 0.5)
    x = Tensor(f.centre.data[None], requires_grad=True)
    for direction, sign in ((f.forward, 1), (f.inverse, -1)):
        image, logabsdet = direction(x)
        np.testing.assert_allclose(image.data, x.data)
        s = np.log1p(np.exp(f.raw_beta.data))
        np.testing.assert_allclose(logabsdet.data, sign * 3 * (np.log(s) - f.log_alpha.data), rtol=1e-12)
        (np.sum(image) + np.sum(logabsdet)).backward()
        assert np.isfinite(x.grad).all() and all(np.isfinite(t.grad).all() for t in f.parameters().values())


@pytest.mark.parametrize("name", ["planar", "sylvester"])
def test_an_inverse_that_does_not_converge(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The residual is said."""
    f = moved(name, 0, 1.0)
    monkeypatch.setattr(root, "MOST", 2)
    with pytest.raises(ArithmeticError, match=r"did not converge .*: f\(x\) − y is .*e-\d+"):
        f.inverse(np.random.default_rng(0).standard_normal((4, 3)))


def no_plane() -> Planar:
    f = Planar(2, 0, dtype=np.float64)
    f.w.assign(np.zeros(2))
    return f


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: no_plane()(np.ones((1, 2))), "w is 0"),
        (lambda: Planar(2, 0, dtype=np.float64).inverse(np.array([[np.nan, 0.0]])), "y has nan"),
        (lambda: Planar(0, 0), "dims is 0"),
        (lambda: Radial(0, 0), "dims is 0"),
        (lambda: Sylvester(2, 0, width=3), "width is 3; there are only dims=2"),
        (lambda: Sylvester(2, 0, width=0), "width is 0"),
        (lambda: Planar(2, 0)(np.ones((4, 3))), r"x has shape \(4, 3\); it must be \(B, 2\)"),
        (lambda: Planar(2, 0)(np.ones((4, 5, 2))), r"it must be \(B, 2\)"),
        (lambda: Radial(2, 0)(np.ones((4, 3))), r"x has shape \(4, 3\); it must be \(B, 2\)"),
        (lambda: Sylvester(2, 0)(np.ones((4, 3))), r"x has shape \(4, 3\); it must be \(B, 2\)"),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
