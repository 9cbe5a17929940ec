"""The command line, ``python -m scratchgen``: one file a command, and what they share.

``scratchgen/__main__.py`` lists the commands and says what one is.
"""
