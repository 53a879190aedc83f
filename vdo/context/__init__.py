"""What a model is shown of a tree, inside a budget of tokens."""
