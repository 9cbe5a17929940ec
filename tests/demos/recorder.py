"""The stage of the tests of the demos, with the numbers in what it was told."""

import re

import matplotlib.pyplot as plt

from tests.demos import test_page06


class Recorder(test_page06.Recorder):
    """Keeps what a demo shows, and writes nothing."""

    quick = False

    def say(self, text):
        pass

    def save_page(self, page, name, title, equation, caption):
        self.pages = {**getattr(self, "pages", {}), name: page}

    def numbers(self, pattern):
        """The groups of the pattern, as numbers, in each result that it is found in."""
        found = [re.search(pattern, text) for text in self.results]
        return [tuple(map(float, match.groups())) for match in found if match]

    def close(self):
        for figure in self.figures.values():
            plt.close(figure)
