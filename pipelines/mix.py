"""Mix: which sequence of which source is trained on when."""

import posixpath
from collections.abc import Mapping

from corpus.recipe import MixtureSection
from corpus.storage import exists
from tokenizer.mixture import Mixture, make_mixture, manifest_path, write_manifest


def mix(section: MixtureSection, tokens: Mapping[str, str], run: str) -> tuple[str, bool]:
    """Writes the order's manifest below a run's folder. Returns its path, and whether it was written now.

    `tokens` are the token folders of the run, to which those that the section names are added.

    Raises:
        UserError: what `tokenizer.mixture.make_mixture` raises.
    """
    mixture = _mixture(section, tokens)
    path = manifest_path(mixture, run)
    if exists(path):
        return path, False
    return write_manifest(mixture, run), True


def mixture_folder(section: MixtureSection, tokens: Mapping[str, str], run: str) -> str:
    """The folder that `mix` uses for these token folders."""
    return posixpath.dirname(manifest_path(_mixture(section, tokens), run))


def _mixture(section: MixtureSection, tokens: Mapping[str, str]) -> Mixture:
    return make_mixture(
        section.shares,
        {**tokens, **section.folders},
        section.tokens,
        section.sequence_length,
        section.seed,
        section.max_epochs,
    )
