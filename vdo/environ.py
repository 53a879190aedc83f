"""The environment that a child process gets: nothing in it points to a repository of the caller's."""

from __future__ import annotations

from collections.abc import Mapping

# What ties a process to one repository: `git rev-parse --local-env-vars` of git 2.39, and GIT_NAMESPACE.
_GIT_LOCAL = frozenset(
    [
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NAMESPACE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    ]
)


def clean_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what would point a child's git at a repository or a configuration of the caller's."""
    return {k: v for k, v in environ.items() if k not in _GIT_LOCAL and not k.startswith("GIT_CONFIG_")}
