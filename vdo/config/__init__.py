"""What the user and the project set: one frozen value in which each setting knows its origin."""

from vdo.config.agents import AgentSettings
from vdo.config.prices import PRICES, ModelPrice, Prices, Step
from vdo.config.project import ProjectConfig, ProjectSetup, project
from vdo.config.settings import load
from vdo.config.values import CheckLimits, Config, ContextSettings, SetupPolicy

__all__ = [
    "PRICES",
    "AgentSettings",
    "CheckLimits",
    "Config",
    "ContextSettings",
    "ModelPrice",
    "Prices",
    "ProjectConfig",
    "ProjectSetup",
    "SetupPolicy",
    "Step",
    "load",
    "project",
]
