"""The payoff: small models, trained on the functions that the learner wrote, and what they draw.

``python -m scratchgen exercises demo vae`` (``made``, ``flow``, ``diffusion``) shows how the pieces fit together. A
function is the learner's own if its check passes; elsewhere the solution stands in, and that is said. With ``--anyway``
even a function that fails is used: nothing teaches more about a mistake than the picture that it makes.

Read first ``vae``, ``made``, ``flow`` and ``diffusion``: each is a whole model, put together from exercises. Beneath
them are ``pieces`` (whose function is whose), ``stage`` (training, saying and drawing), ``desk`` (the command), and
``child`` (the process in which the learner's code runs).
"""
