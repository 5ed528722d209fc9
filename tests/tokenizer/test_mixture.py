import json
import re
import tracemalloc
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import DamagedFile, UserError
from corpus.llama import TABLE_1
from corpus.storage import read_json, write_json
from tokenizer.index import IndexedShard, TokenIndex
from tokenizer.mixture import (
    MAX_PERIOD,
    Mixture,
    MixtureSource,
    Schedule,
    make_mixture,
    read_manifest,
    write_manifest,
)
from tokenizer.order import permute, round_keys
from tokenizer.reader import TokenReader
from tokenizer.shards import ShardHeader

TABLE_1_SHARES = {
    "commoncrawl": 0.67,
    "c4": "0.15",
    "github": 0.045,
    "wikipedia": 0.045,
    "books": 0.045,
    "arxiv": 0.025,
    "stackexchange": 0.02,
}


def index(tokens: int, tokenizer: str = "ab" * 32, digest: str = "1" * 64) -> TokenIndex:
    shard = IndexedShard("shard-00000.tok", tokens, 1, 4 * tokens, digest)
    return TokenIndex(ShardHeader(32000, tokenizer, "cd" * 32, 1, 2), (shard,), (), 1000)


def folder(home: Path | str, name: str, tokens: int, tokenizer: str = "ab" * 32) -> str:
    path = f"{home}/tokens/{name}"
    write_json(f"{path}/index.json", asdict(index(tokens, tokenizer)))
    return path


@st.composite
def shares(draw: st.DrawFn) -> tuple[Fraction, ...]:
    weights = draw(st.lists(st.integers(1, 60), min_size=1, max_size=12))
    return tuple(Fraction(weight, sum(weights)) for weight in weights)


@settings(deadline=None)
@given(shares())
def test_every_prefix_is_within_one_of_every_share(given_shares: tuple[Fraction, ...]) -> None:
    schedule = Schedule(given_shares)
    steps = 2 * schedule.period + 3
    source, turn = schedule.source_of(np.arange(steps))
    taken = [0] * len(given_shares)
    for k in range(steps):
        assert schedule.counts(k) == taken
        assert turn[k] == taken[source[k]]
        taken[source[k]] += 1
        for count, share in zip(taken, given_shares, strict=True):
            exact = share * (k + 1)
            # floor or ceil, so never a whole sequence off.
            assert exact // 1 <= count <= -(-exact // 1)


def test_the_largest_deficit_would_be_off_by_more_than_one() -> None:
    """Why `Schedule` goes by due steps: the obvious rule drifts where frequent and many rare sources meet."""
    weights = [1] * 8 + [4, 5, 7, 12, 31, 34, 46, 88, 205]
    period = sum(weights)
    given_shares = tuple(Fraction(weight, period) for weight in weights)

    def worst(order: list[int]) -> Fraction:
        taken, error = [0] * len(weights), Fraction(0)
        for k, source in enumerate(order):
            taken[source] += 1
            error = max(error, *(abs(s * (k + 1) - t) for s, t in zip(given_shares, taken, strict=True)))
        return error

    taken, greedy = [0] * len(weights), []
    for k in range(1, period + 1):
        chosen = max(range(len(weights)), key=lambda s: (weights[s] * k - taken[s] * period, -s))
        taken[chosen] += 1
        greedy.append(chosen)
    assert worst(greedy) == Fraction(6, 5)
    assert worst(Schedule(given_shares).source_of(np.arange(period))[0].tolist()) < 1


def test_table_1_needs_a_period_of_200() -> None:
    schedule = Schedule(tuple(Fraction(str(share)) for share in TABLE_1_SHARES.values()))
    assert schedule.period == 200
    assert schedule.counts(200) == [134, 30, 9, 9, 9, 5, 4]
    assert schedule.counts(200 * 10**15) == [n * 10**15 for n in (134, 30, 9, 9, 9, 5, 4)]
    far = 200 * 10**15 + 17
    source, turn = schedule.source_of(np.array([far]))
    assert turn[0] == schedule.counts(far)[source[0]]


def mixture(tokens: dict[str, int], parts: dict[str, str], sequences: int, length: int = 4, seed: int = 0) -> Mixture:
    return Mixture(
        tuple(MixtureSource(name, Fraction(parts[name]), name, index(tokens[name])) for name in sorted(parts)),
        sequences,
        length,
        seed,
    )


def test_no_repeat_within_an_epoch_and_a_new_order_in_each() -> None:
    made = mixture({"a": 401, "b": 45}, {"a": "0.7", "b": "0.3"}, 500)
    assert made.available == (100, 11)
    source, epoch, sequence = made.locate(np.arange(500))
    for s, available in enumerate(made.available):
        of_source = source == s
        drawn = int(of_source.sum())
        assert drawn == [350, 150][s]
        assert epoch[of_source].tolist() == [j // available for j in range(drawn)]
        orders = [sequence[of_source & (epoch == e)].tolist() for e in range(drawn // available)]
        for order in orders:
            assert sorted(order) == list(range(available))
        assert all(a != b for i, a in enumerate(orders) for b in orders[:i])


@given(k=st.lists(st.integers(0, 499), max_size=30))
@settings(deadline=None)
def test_any_set_of_sequences_is_what_a_full_run_has(k: list[int]) -> None:
    made = mixture({"a": 401, "b": 45}, {"a": "0.7", "b": "0.3"}, 500)
    whole = made.locate(np.arange(500))
    for some, all_of_it in zip(made.locate(np.array(k, np.int64)), whole, strict=True):
        assert some.tolist() == all_of_it[k].tolist()


@given(shares(), st.lists(st.integers(0, 10**15), min_size=1, max_size=20))
def test_the_step_of_a_turn(given_shares: tuple[Fraction, ...], k: list[int]) -> None:
    schedule = Schedule(given_shares)
    source, turn = schedule.source_of(np.array(k))
    for s in range(len(given_shares)):
        assert schedule.step_of(s, turn[source == s]).tolist() == np.array(k)[source == s].tolist()


@given(a=st.integers(5, 2000), b=st.integers(5, 300), seed=st.integers(0, 99))
def test_the_position_of_every_sequence(a: int, b: int, seed: int) -> None:
    made = mixture({"a": a, "b": b}, {"a": "0.7", "b": "0.3"}, 500, seed=seed)
    source, epoch, sequence = made.locate(np.arange(500))
    for s, use in enumerate(made.usage()):
        found = []
        for e in range(-(-use.drawn // use.available)):
            k = made.positions(s, e, np.arange(use.available))
            assert k.shape == (use.available,)
            taken = k < 500
            assert np.array_equal(sequence[k[taken]], np.flatnonzero(taken))
            assert (epoch[k[taken]] == e).all()
            found += k[taken].tolist()
        assert sorted(found) == np.flatnonzero(source == s).tolist()


def test_outside_the_run() -> None:
    made = mixture({"a": 401}, {"a": "1"}, 10)
    for k in (-1, 10):
        with pytest.raises(IndexError, match="of a run of 10"):
            made.locate(np.array([k]))


UNIQUE = {
    "commoncrawl": 853_000_000_000,
    "c4": 198_000_000_000,
    "github": 98_400_000_000,
    "wikipedia": 25_700_000_000,
    "books": 28_300_000_000,
    "arxiv": 33_000_000_000,
    "stackexchange": 27_200_000_000,
}
"""Tokens of each source that give the epochs of the paper's Table 1 at 1.4T tokens: 1.4T times share over epochs."""


@pytest.fixture(scope="module")
def table_1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("table-1")
    return {name: folder(home, name, tokens) for name, tokens in UNIQUE.items()}


@pytest.mark.parametrize("total", [1_400_000_000_000, 1_000_000_000_000])
def test_table_1_at_full_size(table_1: dict[str, str], total: int) -> None:
    made = make_mixture(TABLE_1_SHARES, table_1, total)
    for use in made.usage():
        paper = float(TABLE_1[use.name].epochs)
        # The paper's epochs are rounded, and so are the tokens above.
        assert float(use.epochs) == pytest.approx(paper * total / 1.4e12, abs=0.006)
        assert use.drawn - use.repeated + use.unused == use.available
    assert made.shares_got() == pytest.approx({k: float(v) for k, v in TABLE_1_SHARES.items()}, abs=1e-8)
    # The end is as near as the beginning.
    assert made.locate(np.array([made.sequences - 1]))[1][0] >= 0


def test_the_table_beside_table_1(table_1: dict[str, str]) -> None:
    heading, *lines, total = make_mixture(TABLE_1_SHARES, table_1, 1_400_000_000_000).table().splitlines()
    assert re.split("  +", heading) == [
        "source", "share", "paper", "drawn", "available", "epochs", "paper", "repeated", "never used"
    ]  # fmt: skip
    cells = {line.split()[0]: line.split()[1:] for line in lines}
    assert list(cells) == sorted(UNIQUE)
    for name, paper in TABLE_1.items():
        assert (cells[name][1], cells[name][4], cells[name][5]) == (paper.share, paper.epochs, paper.epochs)
    assert cells["github"] == [
        "4.5%", "4.5%", "63,000,000,512", "98,400,000,000", "0.64", "0.64", "0", "35,399,999,488"
    ]  # fmt: skip
    assert total.split()[:2] == ["all", "100.0%"]
    counts = [[int(cell.replace(",", "")) for cell in line.split() if re.fullmatch(r"[\d,]+", cell)] for line in lines]
    for drawn, tokens, repeated, unused in counts:
        assert drawn - repeated + unused == tokens
    assert [f"{sum(column):,}" for column in zip(*counts, strict=True)] == total.split()[2:]
    assert max(len(line) for line in [heading, *lines, total]) <= 120


def test_every_deep_prefix_of_table_1_holds_each_share(table_1: dict[str, str]) -> None:
    made = make_mixture(TABLE_1_SHARES, table_1, 1_400_000_000_000)
    for k in np.random.default_rng(0).integers(0, made.sequences, 200).tolist():
        for source, count in zip(made.sources, made.schedule.counts(k), strict=True):
            assert abs(source.share * k - count) < 1


def test_nothing_comes_twice_within_an_epoch_of_table_1(table_1: dict[str, str]) -> None:
    """A million sequences deep in the run, and as many at its beginning: all of one epoch differ."""
    made = make_mixture(TABLE_1_SHARES, table_1, 1_400_000_000_000)
    k = np.concatenate([np.arange(500_000), made.sequences // 2 + np.arange(500_000)])
    source, epoch, sequence = made.locate(k)
    assert len(np.unique((source << 50) + (epoch << 40) + sequence)) == len(k)
    assert all(sequence[source == s].max() < available for s, available in enumerate(made.available))
    # Half of the run is past the first epoch of books, which is in it 2.23 times, and not past that of github.
    names = [use.name for use in made.usage()]
    assert set(epoch[source == names.index("books")].tolist()) == {0, 1}
    assert set(epoch[source == names.index("github")].tolist()) == {0}


def test_a_seek_costs_the_same_anywhere() -> None:
    """Two tens of billions of sequences, past 2^32, with the memory of a handful of numbers."""
    tokens = {"a": 30_000_000_000_000, "b": 12_000_000_000_000}
    made = mixture(tokens, {"a": "0.7", "b": "0.3"}, 20_000_000_000, 2048)
    made.locate(np.arange(3))  # compiles
    for k in (0, 680_000_000, 10_000_000_000, made.sequences - 3):
        tracemalloc.start()
        source, epoch, sequence = made.locate(np.arange(k, k + 3))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100_000
        for place, s, e, i in zip(range(k, k + 3), source, epoch, sequence, strict=True):
            turn = made.schedule.counts(place)[s]
            assert e == turn // made.available[s]
            keys = round_keys(0, made.sources[s].name, int(e))
            assert i == permute(np.array([turn % made.available[s]]), made.available[s], keys)[0]


def test_too_many_epochs_of_table_1(table_1: dict[str, str]) -> None:
    with pytest.raises(UserError, match=r"4\.38 epochs of wikipedia, over max_epochs 4 by 9,699,999,744 tokens"):
        make_mixture(TABLE_1_SHARES, table_1, 2_500_000_000_000)


def test_total_follows_from_the_scarcest_source(tmp_path: Path) -> None:
    folders = {"a": folder(tmp_path, "a", 401), "b": folder(tmp_path, "b", 45)}
    made = make_mixture({"a": 0.7, "b": 0.3}, folders, None, 4, max_epochs=2.5)
    assert made.sequences == 90  # floor(2.5 * 11) = 27 sequences of b, 0.3 of the run
    message = r"2\.55 epochs of b, over max_epochs 2\.5 by 4 tokens: .*, ask for 360 tokens or fewer"
    with pytest.raises(UserError, match=message):
        make_mixture({"a": 0.7, "b": 0.3}, folders, 4 * 94, 4, max_epochs=2.5)
    assert make_mixture({"a": 0.7, "b": 0.3}, folders, 360, 4, max_epochs=2.5) == made
    with pytest.raises(UserError, match=r"is a folder: give the manifest\.json in it"):
        read_manifest(str(tmp_path))


def test_mistakes(tmp_path: Path) -> None:
    folders = {
        "a": folder(tmp_path, "a", 401),
        "b": folder(tmp_path, "b", 4),
        "c": folder(tmp_path, "c", 99, "ef" * 32),
    }
    for given_shares, message in [
        ({"a": 0.5, "b": 0.4}, "add up to 0.9 and must add up to 1"),
        ({"a": 0.5, "c": 0.5}, "made with the tokenizer efefefef"),
        ({"a": 0.5, "b": 0.5}, "b has 4 tokens, fewer than one sequence of 5"),
        ({"a": "half", "b": 0.5}, "share of a in the mixture is 'half'"),
        ({"a": 1, "b": 0}, "share of b in the mixture is 0"),
    ]:
        with pytest.raises(UserError, match=message):
            make_mixture(given_shares, folders, 100, 4)
    with pytest.raises(UserError, match="less than one sequence"):
        make_mixture({"a": 1}, folders, 3, 4)
    with pytest.raises(UserError, match="names the source d, which has no tokens"):
        make_mixture({"a": 0.5, "d": 0.5}, folders, 100, 4)
    with pytest.raises(UserError, match=r"absent.*index.json does not exist"):
        make_mixture({"a": 1}, {"a": str(tmp_path / "absent")}, 100, 4)
    twin = {"a": folders["a"], "d": folder(tmp_path, "d", 401)}
    with pytest.raises(UserError, match=f"over {MAX_PERIOD}; give them fewer digits"):
        make_mixture({"a": "0.12345678", "d": "0.87654322"}, twin, 100, 4)


def test_the_fingerprint_covers_what_the_order_depends_on() -> None:
    base = mixture({"a": 401, "b": 45}, {"a": "0.7", "b": "0.3"}, 50)
    assert base.fingerprint == mixture({"a": 401, "b": 45}, {"a": "7/10", "b": "0.3"}, 99).fingerprint
    source = base.sources[0]
    others = [
        mixture({"a": 401, "b": 45}, {"a": "0.6", "b": "0.4"}, 50),
        mixture({"a": 401, "b": 45}, {"a": "0.7", "b": "0.3"}, 50, length=5),
        mixture({"a": 401, "b": 45}, {"a": "0.7", "b": "0.3"}, 50, seed=1),
        Mixture((MixtureSource("a", source.share, "a", index(401, digest="2" * 64)), base.sources[1]), 50, 4, 0),
        Mixture((MixtureSource("a", source.share, "a", index(401, "ef" * 32)), base.sources[1]), 50, 4, 0),
    ]
    assert len({base.fingerprint, *(other.fingerprint for other in others)}) == 6


def test_manifest(tmp_path: Path) -> None:
    folders = {"a": folder(tmp_path, "a", 401), "b": folder(tmp_path, "b", 45)}
    made = make_mixture({"b": "0.3", "a": 0.7}, folders, 200, 4, seed=5)
    path = write_manifest(made, str(tmp_path))
    assert Path(path).parent.name.startswith("mixture-")
    assert path == write_manifest(make_mixture({"a": 0.7, "b": "0.3"}, folders, 200, 4, seed=5), str(tmp_path))
    again = read_manifest(path)
    assert again.fingerprint == made.fingerprint
    assert [s.index for s in again.sources] == [s.index for s in made.sources]
    assert [Path(s.folder).resolve() for s in again.sources] == [Path(f).resolve() for f in folders.values()]
    assert again.locate(np.arange(50))[2].tolist() == made.locate(np.arange(50))[2].tolist()

    # A run in an object store can be moved there too.
    store = {name: folder(f"memory://bucket/run-{name}", name, 401) for name in "ab"}
    url = write_manifest(make_mixture({"a": 0.7, "b": 0.3}, store, 200, 4), "memory://bucket/run-a")
    assert [source["folder"] for source in read_json(url)["sources"]] == ["../tokens/a", "../../run-b/tokens/b"]
    assert [source.folder for source in read_manifest(url).sources] == list(store.values())

    body = json.loads(Path(path).read_text())
    altered = str(tmp_path / "altered.json")
    for change in ({"seed": 6}, {"sources": []}, {"sources": body["sources"][:1]}, {"sequence_length": None}):
        Path(altered).write_text(json.dumps({**body, **change}))
        with pytest.raises(DamagedFile, match="run mix again"):
            read_manifest(altered)
    with pytest.raises(UserError, match="does not exist"):
        read_manifest(str(tmp_path / "absent.json"))


@pytest.mark.parametrize(("starts", "bos"), [((1, 1), 1), ((1, -1), None), ((-1, -1), None), ((1, 2), None)])
def test_documents_begin_with_what_all_sources_begin_them_with(
    tmp_path: Path, starts: tuple[int, int], bos: int | None
) -> None:
    folders = {}
    for name, start in zip(("books", "code"), starts, strict=True):
        found = index(10_000)
        write_json(f"{tmp_path}/{name}/index.json", asdict(replace(found, header=replace(found.header, bos=start))))
        folders[name] = f"{tmp_path}/{name}"
    mixture = make_mixture({"books": "0.5", "code": "0.5"}, folders, 2048, 16)
    assert TokenReader(write_manifest(mixture, str(tmp_path))).bos == bos
