"""The commands, one file for each (or for a small family), named as they are called."""
