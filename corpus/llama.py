"""What the LLaMA-1 paper says in numbers of its corpus: Table 1 (Touvron et al. 2023, section 2.1)."""

from collections.abc import Mapping
from typing import NamedTuple


class PaperSource(NamedTuple):
    """One row of Table 1.

    Attributes:
        share: sampling proportion, as printed.
        epochs: as printed.
        disk_bytes: of finished text ("disk size").
    """

    share: str
    epochs: str
    disk_bytes: float

    @property
    def bytes_per_token(self) -> float:
        """Of finished text: disk size over share x 1.4T / epochs."""
        return self.disk_bytes / (TOKENS * float(self.share.rstrip("%")) / 100 / float(self.epochs))


TOKENS = 1.4e12

TABLE_1: Mapping[str, PaperSource] = {
    "commoncrawl": PaperSource("67.0%", "1.10", 3.3e12),
    "c4": PaperSource("15.0%", "1.06", 783e9),
    "github": PaperSource("4.5%", "0.64", 328e9),
    "wikipedia": PaperSource("4.5%", "2.45", 83e9),
    "books": PaperSource("4.5%", "2.23", 85e9),
    "arxiv": PaperSource("2.5%", "1.06", 92e9),
    "stackexchange": PaperSource("2.0%", "1.03", 78e9),
}
"""By type of source."""

BYTES_PER_TOKEN = sum(source.disk_bytes for source in TABLE_1.values()) / sum(
    source.disk_bytes / source.bytes_per_token for source in TABLE_1.values()
)
"""Of finished text of all sources together: for a source that Table 1 does not have."""
