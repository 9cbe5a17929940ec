"""The latent explorer: move a point through the latent space of a trained model, and see what becomes of it.

    python -m demos.explore                 a window with sliders: a VAE of digits, whose code is a point of the plane
    python -m demos.explore --model flow    a window with sliders: a flow of the plane
    python -m demos.page09_explore          both as a page for any browser, without Python: demos/out/explore.html

``models`` makes and trains the two, ``views`` computes all that is shown, ``vae_window`` and ``flow_window`` draw it.
For the page, ``export`` writes the weights as JSON, and ``nets.js`` computes again what ``views`` does.
"""
