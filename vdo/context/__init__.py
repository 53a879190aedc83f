"""What a model is shown of a tree, inside a budget of tokens."""

from vdo.context.gather import gather
from vdo.context.tokens import estimate

__all__ = ["estimate", "gather"]
