"""The base of everything a recipe can set: typed, frozen, and closed to unknown keys."""

import os
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from corpus.errors import UserError


class Settings(BaseModel):
    """Settings of a source, a rule or a stage. Fields are the settings; equal settings are equal objects."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class FileMark:
    """Marks a field whose value names a file, so that its SHA-256 enters the step's digest.

    Attributes:
        what: the file is, for messages.
    """

    what: str

    def locate(self, path: str) -> str:
        """The path.

        Raises:
            UserError: there is no such file.
        """
        if not os.path.isfile(path):
            raise UserError(f"there is no {self.what} {path}: give the path of a file")
        return path


@dataclass(frozen=True)
class ModelMark(FileMark):
    """The same for a model, which may also be named."""

    what: str = "model file"


ModelFile = Annotated[str, ModelMark()]
"""A path, or a name that `corpus.models` knows ("lid")."""
WordLists = Annotated[tuple[str, ...], FileMark("word list")]
"""Paths of text files, one entry a line."""
