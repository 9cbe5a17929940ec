"""Every layer, distribution and model is registered, its gradients are right, and wrong ones are noticed."""

import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.autodiff.checking.gradient_error import GradientError
from scratchgen.checks import cases
from scratchgen.checks.cases import REGISTERED, Factory, check_case, leaf, register, taylor_slope, weighted
from scratchgen.checks.suite import load_everything
from scratchgen.checks.table import print_table
from scratchgen.distributions import Distribution, Normal
from scratchgen.latent import VAE
from scratchgen.nn import Linear, Module

load_everything()
ALL = [
    pytest.param(factory, section == "models", id=f"{cls.__name__} {kind}".strip())
    for section, entries in REGISTERED.items()
    for (cls, kind), factory in entries.items()
]


def classes() -> Iterator[type]:
    """The concrete classes that the package defines."""
    modules = [m for name, m in sorted(sys.modules.items()) if name.startswith("scratchgen.")]
    for module in modules:
        for cls in vars(module).values():
            own = inspect.isclass(cls) and cls.__module__ == module.__name__
            if own and not inspect.isabstract(cls) and not module.__name__.startswith("scratchgen.checks"):
                yield cls


def section_of(cls: type) -> str | None:
    """Where the class has to be registered: a class with a loss is a model, any other Module is a layer."""
    if callable(getattr(cls, "loss", None)):
        return "models"
    if issubclass(cls, Distribution):
        return "distributions"
    return "layers" if issubclass(cls, Module) and cls is not Module else None


def unregistered(found: Iterator[type], registered: dict[str, Any]) -> set[str]:
    there = {section: {cls for cls, _ in entries} for section, entries in registered.items()}
    sections = [(cls, section_of(cls)) for cls in found]
    return {cls.__name__ for cls, section in sections if section is not None and cls not in there[section]}


def test_every_layer_distribution_and_model_is_registered() -> None:
    assert {"VAE", "Linear", "Normal"} <= {cls.__name__ for cls in classes()}
    assert unregistered(classes(), REGISTERED) == set()


@pytest.mark.parametrize("section", cases.SECTIONS)
def test_leaving_one_out_is_noticed(section: str) -> None:
    for cls in {cls for cls, _ in REGISTERED[section]}:
        rest = {key: factory for key, factory in REGISTERED[section].items() if key[0] is not cls}
        assert unregistered(classes(), {**REGISTERED, section: rest}) == {cls.__name__}


def test_a_new_model_is_noticed_whatever_it_is_made_of() -> None:
    class Model:
        def loss(self, x: Any, rng: Any) -> float:
            return 0.0

    assert unregistered(iter([Model, Module, dict]), REGISTERED) == {"Model"}


@pytest.mark.parametrize(("factory", "taylor"), ALL)
def test_gradients(factory: Factory, taylor: bool) -> None:
    """loss().backward() against extrapolated differences, and for models the remainder of (1) falls as h²."""
    result = check_case(factory, taylor=taylor)
    assert result.error < 1e-10 and result.numbers > 5


# -- what it catches -----------------------------------------------------------------------------------------------


def case(loss: Callable[[Tensor, Tensor], Any]) -> Factory:
    """A case of two leaves a and b."""

    def factory(rng: np.random.Generator) -> cases.Case:
        a, b = leaf(rng, 2, 3), leaf(rng, 3)
        return {"a": a, "b": b}, lambda: loss(a, b)

    return factory


@pytest.mark.parametrize(
    ("loss", "wrong"),
    [
        (lambda a, b: weighted(np.tanh(a * b.data)), "b"),
        (lambda a, b: weighted(np.tanh(a.detach() * b)), "a"),
        (lambda a, b: weighted(np.tanh(a * b)) * float(np.sum(b)), "b"),
        (lambda a, b: weighted(np.tanh(a * Tensor(b.data, requires_grad=True))), "b"),
    ],
)
def test_a_cut_graph_is_noticed(loss: Any, wrong: str) -> None:
    with pytest.raises(GradientError, match=rf"(?s)is wrong.*Argument \d is {wrong}\."):
        check_case(case(loss))


def test_noise_that_differs_from_call_to_call_is_noticed() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(GradientError):
        check_case(case(lambda a, b: weighted(a * b) + rng.normal()))


def test_a_loss_that_raises_in_its_backward_pass() -> None:
    with pytest.raises(GradientError, match="backward raised RuntimeError"):
        check_case(case(lambda a, b: weighted(a.detach() * b.detach())))


def test_the_values_are_put_back() -> None:
    rng = np.random.default_rng(0)
    a = leaf(rng, 3)
    before = a.data.copy()
    check_case(lambda rng: ({"a": a}, lambda: weighted(np.exp(a))))
    np.testing.assert_array_equal(a.data, before)


def test_leaves_are_float64() -> None:
    with pytest.raises(TypeError, match="W is float32"):
        check_case(lambda rng: (Linear(2, 3, 0).parameters(), lambda: None))


def test_the_taylor_remainder_of_a_wrong_gradient_falls_as_h() -> None:
    class Late(cases.Loss):
        """A gradient that is 1 % too long."""

        def pull_back(self, arrays: Any) -> Any:
            y, pull = super().pull_back(arrays)
            return y, lambda w: [1.01 * g for g in pull(w)]

    rng = np.random.default_rng(0)
    a = leaf(rng, 5)
    loss = ({"a": a}, lambda: np.sum(np.exp(a)))
    assert abs(taylor_slope(cases.Loss(*loss), [a.data.copy()], rng) - 2) < 0.05
    with pytest.raises(GradientError, match="Taylor remainder"):
        taylor_slope(Late(*loss), [a.data.copy()], rng)


def test_registering_twice_or_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match="Linear  is registered already"):
        register("layers", Linear)
    with pytest.raises(ValueError, match="no section flows"):
        register("flows", Linear)


# -- the table -----------------------------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_and_shows_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    from scratchgen.checks import suite, table

    few = [sample for sample in suite.all_samples() if sample.operation in ("exp", "matmul")]
    monkeypatch.setattr(table, "all_samples", lambda: few)
    wrong = case(lambda a, b: weighted(np.tanh(a * b.data)))
    for section, cls in (("layers", Linear), ("distributions", Normal), ("models", VAE)):  # all take half a minute
        rows = {key: factory for key, factory in REGISTERED[section].items() if key[0] is cls}
        monkeypatch.setitem(REGISTERED, section, rows)
    REGISTERED["models"][Module, "that is wrong"] = wrong
    written: list[str] = []
    failures = print_table(write=written.append)
    text = "\n".join(written)
    for name in ("exp", "matmul", "Linear", "Normal, log_prob", "VAE, Bernoulli"):
        assert sum(row.strip().startswith(f"{name} ") for row in written) == 1, name
    assert "h^2.0" in text and "float32" in text
    assert "\n1 failed" in written
    assert len(failures) == 1 and text.count("FAILED") == 1 and "Argument 1 is b" in text
    assert next(row for row in written if "FAILED" in row).strip().startswith("Module, that is wrong")
