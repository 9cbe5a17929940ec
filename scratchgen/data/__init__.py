"""Data: the bundled 8×8 digits, MNIST from local files, the steps from grey levels to a model's input, and toys.

    images, labels = digits("train")                    (1000, 8, 8) uint8, 17 grey levels
    x = to_unit(images, levels=17).reshape(-1, 64)      (1000, 64) float32 in [0, 1]
    x = TwoMoons(std=0.1).sample(1000, rng)             (1000, 2) float64, with known density and entropy
    gap_to_entropy(flow.log_prob, TwoMoons(std=0.1), n=20_000, rng=rng)         how far a model is from the truth
    images, factors = Bars(std=0.1).sample(1000, rng)   (1000, 8, 8) float64, and the two numbers behind each
    x = MarkovSource.random(5, order=2, rng=0).sample(100, length=50, rng=1)    (100, 50) int64, with known entropy
    train, validation, size, sha256 = documentation()   Python's own documentation, two strings

Nothing here is fetched unless `download` or `mnist_download` is called.
"""

from scratchgen.data.bars import Bars, BarSample
from scratchgen.data.dataset import DataError, Dataset
from scratchgen.data.digits import digits
from scratchgen.data.download import download
from scratchgen.data.entropy_gap import EntropyGap, NegativeGap, gap_to_entropy
from scratchgen.data.idx import read_idx
from scratchgen.data.markov import MarkovSource
from scratchgen.data.mnist import mnist, mnist_download
from scratchgen.data.scaling import binarise, one_hot, to_unit
from scratchgen.data.text import Text, Windows, cover, documentation, draw_windows, text_file
from scratchgen.data.toys import NoisySpiral, Toy
from scratchgen.data.toys_bent import Banana, Pinwheel
from scratchgen.data.toys_checkerboard import Checkerboard
from scratchgen.data.toys_curves import Spirals, TwoMoons
from scratchgen.data.toys_gaussians import EightGaussians, GaussianGrid, Gaussians
from scratchgen.data.toys_rings import Rings
from scratchgen.data.vocabulary import Vocabulary

__all__ = [
    "Banana",
    "BarSample",
    "Bars",
    "Checkerboard",
    "DataError",
    "Dataset",
    "EightGaussians",
    "EntropyGap",
    "GaussianGrid",
    "Gaussians",
    "MarkovSource",
    "NegativeGap",
    "NoisySpiral",
    "Pinwheel",
    "Rings",
    "Spirals",
    "Text",
    "Toy",
    "TwoMoons",
    "Vocabulary",
    "Windows",
    "binarise",
    "cover",
    "digits",
    "documentation",
    "download",
    "draw_windows",
    "gap_to_entropy",
    "mnist",
    "mnist_download",
    "one_hot",
    "read_idx",
    "text_file",
    "to_unit",
]
