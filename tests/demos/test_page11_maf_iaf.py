"""Page 11: MAF and IAF of one normal distribution, exactly, and what each direction costs."""

import numpy as np

from demos import page11_maf_iaf as page11
from scratchgen.autodiff import no_grad
from tests.demos.recorder import Recorder


def test_the_layer_is_the_triangular_map():
    """z = F x, and log |det F|."""
    factor = np.linalg.cholesky(page11.covariance(5)) @ np.diag([1.0, 2.0, 0.5, 3.0, 0.2])
    x = np.random.default_rng(0).standard_normal((4, 5))
    with no_grad():
        z, logabsdet = page11.normal_flow(factor).forward(x)
    np.testing.assert_allclose(z.data, x @ factor.T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(logabsdet.data, np.log(np.diag(factor)).sum(), rtol=1e-12)


def test_both_have_the_density(monkeypatch):
    """To rounding; and their samples have its covariance, within 5.96 standard errors of the largest entry."""
    monkeypatch.setattr(page11, "SIZES", (2, 4))
    monkeypatch.setattr(page11, "REPEATS", 1)
    stage = Recorder()
    page11.run(stage, seed=0)
    off = stage.numbers(r"at most (\S+) nats .* at most (\S+) off")
    assert len(off) == 2
    for nats, entry in off:
        assert nats < 1e-11 and entry < 5.96 * np.sqrt(2 / page11.DRAWS) < 0.1
    assert len(stage.numbers(r"density MAF (\S+) ms, IAF (\S+) ms")) == 2
    for ax in stage.figures["page11_maf_iaf"].axes:
        quick, slow, dashed = sorted(ax.lines, key=lambda line: line.get_linestyle() == "--")
        ratios = np.asarray(dashed.get_ydata()) / np.asarray(page11.SIZES)
        assert any(np.allclose(ratios, line.get_ydata()) for line in (quick, slow))
    stage.close()


def test_the_costs_are_passes_of_the_network(monkeypatch):
    """One in the quick direction, D in the slow one: the dashed lines."""
    layer = page11.MaskedAutoregressive(page11.MaskedNet(8, 2, [16], rng=0), page11.AffineMap())
    passes, forward = [], page11.MaskedNet.forward

    def counted(self, *inputs, **options):
        passes.append(1)
        return forward(self, *inputs, **options)

    monkeypatch.setattr(page11.MaskedNet, "forward", counted)
    x = np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)
    with no_grad():
        layer.forward(x)
        assert len(passes) == 1
        layer.inverse(x)
    assert len(passes) == 1 + 8
