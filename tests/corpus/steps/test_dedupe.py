import pytest

from corpus.rules import Reread, Round
from corpus.steps.dedupe import partitions_for, widths


@pytest.mark.parametrize(
    ("signature_bytes", "partitions"),
    [
        (0, 1),
        (16 << 20, 1),
        ((16 << 20) + 1, 2),
        (64 << 30, 4096),  # 16 MiB each, up to 4,096
        ((64 << 30) + 1, 4096),
        (1 << 40, 4096),  # then 256 MiB each
        ((1 << 40) + 1, 4097),
        (2 << 40, 8192),
    ],
)
def test_partitions_are_of_16_mib_and_many_of_up_to_256(signature_bytes: int, partitions: int) -> None:
    assert partitions_for(signature_bytes) == partitions


def test_a_reread_gets_a_block_for_each_part() -> None:
    def nothing(*given: object) -> None: ...

    some = [Round(nothing), Reread(nothing), Round(nothing, partitions=1), Reread(nothing)]  # type: ignore[arg-type]
    assert widths(some, 33 << 20, 7) == [3, 7, 1, 7, 7]
