"""The jinja2 templates of everything that vdo says to a model; a package so that an editable install finds it."""
