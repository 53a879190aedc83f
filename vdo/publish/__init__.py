"""Bringing a job somewhere: into a folder, onto a branch, to a git host."""
