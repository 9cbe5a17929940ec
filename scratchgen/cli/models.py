"""The models that ``train`` knows, by name, in the order of the lecture."""

from __future__ import annotations

from scratchgen.cli.autoregressive_models import MADE, PixelCNN, Transformer
from scratchgen.cli.diffusion_models import DDPM, FlowMatching
from scratchgen.cli.errors import BadInput
from scratchgen.cli.family import Family
from scratchgen.cli.flow_models import MAF, RealNVP, SplineFlow
from scratchgen.cli.form import Form
from scratchgen.cli.latent_models import IWAE, PPCA, VAE, Mixture

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Mixture(),
        PPCA(),
        VAE(),
        IWAE(),
        MADE(),
        PixelCNN(),
        Transformer(),
        RealNVP(),
        SplineFlow(),
        MAF(),
        DDPM(),
        FlowMatching(),
    )
}


def require_fit(family: Family, form: Form, name: str) -> None:
    """Refuse data that do not suit the model, naming those that they do suit.

    Raises:
        BadInput: saying what the model takes.

    >>> require_fit(FAMILIES["mixture"], Form("levels", (8, 8), 17), "digits")
    Traceback (most recent call last):
    scratchgen.cli.errors.BadInput: mixture does not suit digits, images of 8 × 8 pixels, 17 grey levels: it takes ...
    """
    if objection := family.objection(form):
        others = [each.name for each in FAMILIES.values() if not each.objection(form)]
        raise BadInput(
            f"{family.name} does not suit {name}, {form.describe()}: {objection}. For these data: {', '.join(others)}"
        )
