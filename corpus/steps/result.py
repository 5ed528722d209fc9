"""What a part function tells the driver: counts only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PartResult:
    """Counts of one part, for progress and for the next transform.

    Attributes:
        reused: the part was finished before and nothing was done.
    """

    part: int
    documents_in: int = 0
    documents_out: int = 0
    bytes_in: int = 0
    reused: bool = False

    def __str__(self) -> str:
        return f"part {self.part:05d}"
