"""Data sets that Hugging Face `datasets` opens, as streams: their shards, and the rows of one."""

from collections.abc import Iterator
from typing import Any

from corpus.errors import UserError
from corpus.sources.raw import RawFile, list_files
from corpus.storage import digest_of, exists


def shards(path: str, name: str | None, split: str, revision: str | None) -> list[RawFile]:
    """Each shard of a split as if it were a file, `SPLIT/00000-of-00008`. Its digest is that of the folder's files, or
    the commit on the hub, and its number.

    Args:
        path: what `load_dataset` takes: the name of a data set on the hub, or a local folder.
        name: of the configuration.

    Raises:
        UserError: the library is not installed, or it does not open the data set.
    """
    opened = _open(path, name, split, revision)
    count = opened.num_shards
    version = [file.digest for file in list_files(path)] if exists(path) else _commit(path, revision)
    return [
        RawFile(f"{split}/{number:05d}-of-{count:05d}", 0, digest_of([path, name, version, number, count]))
        for number in range(count)
    ]


def rows(path: str, name: str | None, revision: str | None, shard: str) -> Iterator[dict[str, Any]]:
    """The rows of a shard that `shards` named, in order.

    Raises:
        UserError: as `shards`; or the data set has another number of shards by now.
    """
    split, _, place = shard.rpartition("/")
    number, _, count = place.partition("-of-")
    opened = _open(path, name, split, revision)
    if opened.num_shards != int(count):
        raise UserError(f"{path} had {int(count)} shards and has {opened.num_shards} now: run extract again")
    yield from opened.shard(num_shards=int(count), index=int(number))


def _open(path: str, name: str | None, split: str, revision: str | None) -> Any:
    try:
        import datasets
    except ModuleNotFoundError:
        raise UserError("`dataset` needs datasets: pip install '.[datasets]' in the project's folder") from None
    try:
        return datasets.load_dataset(path, name, split=split, revision=revision, streaming=True)
    except Exception as error:  # whatever the hub, the network or a builder raises
        reason = " ".join(str(error).split())
        raise UserError(f"datasets does not open {path} ({reason}): check `input` and `dataset`") from None


def _commit(path: str, revision: str | None) -> str:
    from huggingface_hub import HfApi

    try:
        return str(HfApi().dataset_info(path, revision=revision).sha)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UserError(f"the hub does not say which commit of {path} it has ({reason})") from None
