"""The base of everything a recipe can set: typed, frozen, and closed to unknown keys."""

import os
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from corpus.errors import UserError
from corpus.storage import exists, join


class Settings(BaseModel):
    """Settings of a source, a rule or a stage. Fields are the settings; equal settings are equal objects."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def unset_variable(path: str) -> str | None:
    """The first `$NAME` (or `${NAME}`) in a path that the variables which are set were put into; None without one."""
    found = re.search(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", path)
    return f"${found[1] or found[2]}" if found else None


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
            remedy = (
                f"{unset} is not set in the environment"
                if (unset := unset_variable(path))
                else "give the path of a file"
            )
            raise UserError(f"there is no {self.what} {path}: {remedy}")
        return path


@dataclass(frozen=True)
class ModelMark(FileMark):
    """The same for a model, which may also be named."""

    what: str = "model file"


@dataclass(frozen=True)
class IndexMark(FileMark):
    """The same for the index that a dedup goes against, which is a folder."""

    what: str = "index of a dedup"

    def locate(self, path: str) -> str:
        """The path of the file that says what the index holds.

        Raises:
            UserError: there is no such file.
        """
        found = join(path, "index.json")
        if not exists(found):
            raise UserError(f"there is no {self.what} in {path}: give the folder that a step's `index` named")
        return found


ModelFile = Annotated[str, ModelMark()]
"""A path, or a name that `corpus.models` knows ("lid")."""
WordLists = Annotated[tuple[str, ...], FileMark("word list")]
"""Paths of text files, one entry a line."""
IndexFolder = Annotated[str | None, IndexMark()]
"""Null, or a folder that a dedup with `index` wrote (`corpus.steps.dedup_index`)."""
