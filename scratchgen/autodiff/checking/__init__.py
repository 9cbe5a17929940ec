"""The parts of the gradient check, which ``scratchgen.autodiff.gradcheck`` puts together.

``oracles`` differentiate without the chain rule; ``subjects`` are what is differentiated; ``comparison`` holds the two
against each other; ``contract`` looks at all but the values; ``blame`` finds the operation whose rule is wrong.
"""
