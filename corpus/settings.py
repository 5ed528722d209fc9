"""The base of everything a recipe can set: typed, frozen, and closed to unknown keys."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Settings of a source, a rule or a stage. Fields are the settings; equal settings are equal objects."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelMark:
    """Marks a field whose value names a model file, so that its SHA-256 enters the step's digest."""


ModelFile = Annotated[str, ModelMark()]
"""A path, or a name that `corpus.models` knows ("lid")."""
