"""One script an experiment, named by the page of the lecture that it shows. Run them all by ``python -m demos``."""
