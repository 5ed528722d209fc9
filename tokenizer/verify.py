"""Whether token folders hold what their index lists, byte for byte."""

from dataclasses import asdict, dataclass

from corpus.errors import DamagedFile
from corpus.storage import join, names
from tokenizer.index import HELD_OUT, IndexedShard, read_index
from tokenizer.remote import open_shard
from tokenizer.shards import Shard, ShardHeader


@dataclass(frozen=True)
class ShardCheck:
    """One shard to be verified, with what the index of its folder says of it.

    Attributes:
        entry: None for a shard by itself.
        header: of the folder's index.
    """

    path: str
    entry: IndexedShard | None = None
    header: ShardHeader | None = None

    def __call__(self) -> Shard:
        """Reads the whole shard.

        Raises:
            UserError: there is no such file.
            DamagedFile: it is damaged, or not the file that the index lists.
        """
        shard = open_shard(self.path)
        shard.verify(self.entry.digest if self.entry else None)
        if self.header is not None and shard.header != self.header:
            differ = [key for key, value in asdict(self.header).items() if getattr(shard.header, key) != value]
            raise DamagedFile(f"{self.path} and its index.json differ in {', '.join(differ)}: run tokenize again")
        if self.entry is not None:
            for key in ("tokens", "documents", "text_bytes"):
                found, listed = getattr(shard.counts, key), getattr(self.entry, key)
                if found != listed:
                    raise DamagedFile(
                        f"{self.path} has {found} {key} and index.json lists {listed}: run tokenize again"
                    )
        return shard


def shard_checks(path: str) -> list[ShardCheck]:
    """The shards to verify of a shard (itself) or of a token folder (those that its index lists, held-out ones too).

    Raises:
        UserError: the folder has no index.
        DamagedFile: the index cannot be read.
    """
    if path.endswith(".tok"):
        return [ShardCheck(path)]
    index = read_index(path)
    return [ShardCheck(join(path, entry.name), entry, index.header) for entry in (*index.shards, *index.heldout)]


def unlisted(folder: str) -> list[str]:
    """Paths of the shards in a token folder that its index does not list."""
    index = read_index(folder)
    listed = {entry.name for entry in (*index.shards, *index.heldout)}
    present = [*names(folder), *(f"{HELD_OUT}/{name}" for name in names(join(folder, HELD_OUT)))]
    return [join(folder, name) for name in present if name.endswith(".tok") and name not in listed]
