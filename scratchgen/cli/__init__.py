"""The command line, ``python -m scratchgen``: one file a command, and what they share.

``scratchgen/__main__.py`` lists the commands and says what one is. Then read in this order:

    the data                form (what they look like), data (by name or file, and split), files, interpretation
    the models              family (what one is, and how it is trained and measured), models (all of them), and
                            latent_models, autoregressive_models, flow_models, diffusion_models
    a model in a file       saved
    what is done with it    train and train_options, evaluate and figures, sample and samples, info
    besides                 demo, exercises; parser, numbers, errors, terminal
"""
