"""Whether samples are as data are, where only points are at hand: three ways to compare two samples.

    mmd_test(x, y, rng)                 the maximum mean discrepancy by kernels, and a p-value that is exact
    sliced_wasserstein(x, y, rng)       how far points must be moved to make one sample the other, in units of x
    classifier_two_sample(x, y, rng)    how often the nearest neighbours tell which sample a point is from

A likelihood asks whether the model gives room to all data; these ask whether its samples are like them. They see other
things: MMD smooths, so is steady with few points and blind to what is finer than its bandwidths; the distance has a
unit, and notices far points most; the classifier notices anything that is dense enough to learn.
"""

from scratchgen.metrics.classifier import TwoSampleAccuracy, classifier_two_sample
from scratchgen.metrics.kernel import MMDTest, median_bandwidths, mmd_squared, mmd_test
from scratchgen.metrics.wasserstein import SlicedDistance, sliced_wasserstein, wasserstein_1d

__all__ = [
    "MMDTest",
    "SlicedDistance",
    "TwoSampleAccuracy",
    "classifier_two_sample",
    "median_bandwidths",
    "mmd_squared",
    "mmd_test",
    "sliced_wasserstein",
    "wasserstein_1d",
]
