"""Lists of URLs against a plain Python reading of the rule."""

import gzip
import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import UserError
from corpus.filters.url_blocklist import UrlBlocklist
from corpus.recipe.load import parse_rules
from corpus.steps.rule import NamedRule
from tests.corpus.text.test_urls import lower, parts

PAGES = "snapshot-wayback-topic-02.warc.gz"
LISTS = {
    "domains": "bad.example\n.dotted.example\nxxx\n10.0.0.1\n# a comment\nhttp://scheme.example/path\nBÜCHER.example\n",
    "hosts": "www.only.example\n[2001:db8::1]\n",
    "pages": "blog.example/bad\nhttps://www.pages.example/a/b/\nshop.example/?cat=1\n",
    "words": "forbidden\nHas-Dash\n",
    "subwords": "casino\nrout\nroulette\nq-z\n",
    "soft_words": "escort\nwebcam\nbabes\n",
}


@pytest.fixture(scope="module")
def rule(tmp_path_factory: pytest.TempPathFactory) -> UrlBlocklist:
    folder = tmp_path_factory.mktemp("lists")
    for name, text in LISTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return UrlBlocklist(**{name: (str(folder / name),) for name in LISTS})


def entries(name: str) -> list[str]:
    return [line for line in LISTS[name].splitlines() if line and not line.startswith("#")]


def letters(text: str) -> str:
    return re.sub("[^a-z0-9]", "", lower(text))


def page(url: str) -> str:
    host, rest = parts(url)
    return re.sub(r"\Awww\.(?=.)", "", host) + rest


def reference(url: str | None) -> tuple[str | None, int]:
    url = url or ""
    host, _ = parts(url)
    if host:
        domains = [parts(entry.lstrip(".*"))[0] for entry in entries("domains")]
        if any(host == domain or host.endswith("." + domain) for domain in domains):
            return "listed_domain", 0
        if host in [parts(entry)[0] for entry in entries("hosts")]:
            return "listed_host", 0
        for entry in entries("pages"):
            start = page(entry).rstrip("/")
            if page(url) == start or (page(url).startswith(start) and page(url)[len(start)] in "/?#&"):
                return "listed_page", 0
    words = set(re.split("[^a-z0-9]+", lower(url))) - {""}
    if words & {letters(entry) for entry in entries("words")}:
        return "listed_word", 0
    if any(letters(entry) in letters(url) for entry in entries("subwords")):
        return "listed_subword", 0
    return None, len(words & {letters(entry) for entry in entries("soft_words")})


def batch(*urls: str | None) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"url": pa.array(urls, pa.string())})


def scores(rule: UrlBlocklist, *urls: str | None) -> list[tuple[str | None, int]]:
    columns = rule.score(batch(*urls)).to_pydict()
    return list(zip(columns["listed"], columns["soft_words"], strict=True))


PIECES = [
    *(
        "http://",
        "https://",
        "//",
        "/",
        "?",
        "#",
        "&",
        ":",
        "@",
        ".",
        "..",
        "-",
        "[",
        "]",
        "user@",
        ":80",
        "www.",
        "WWW.",
    ),
    *("bad.example", "Bad.Example", "sub.", "dotted.example", "xxx", "only.example", "scheme.example", "10.0.0.1"),
    *("blog.example", "bad", "pages.example", "/a/b", "/A/B/", "c", "shop.example", "?cat=1", "[2001:db8::1]"),
    *(
        "forbidden",
        "hasdash",
        "has-dash",
        "ca",
        "sino",
        "CASINO",
        "rou",
        "roulette",
        "rout",
        "escort",
        "webcam",
        "babes",
    ),
    *("é", "BÜCHER.example", "bücher.example", " ", "\0", "\ufffd"),
]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), max_size=6))
def test_urls_made_of_what_the_lists_name(rule: UrlBlocklist, urls: list[str]) -> None:
    assert scores(rule, *urls) == [reference(url) for url in urls]


@given(st.text(max_size=30))
def test_any_text(rule: UrlBlocklist, url: str) -> None:
    assert scores(rule, None, url) == [(None, 0), reference(url)]


def test_real_urls(rule: UrlBlocklist, shared_data: Path) -> None:
    pages = gzip.decompress((shared_data / "commoncrawl" / "chatnoir-copycat" / PAGES).read_bytes())
    urls = [url.decode("utf-8", "replace") for url in re.findall(rb"https?://[^\s\"'<>]{4,200}", pages)][:3000]
    assert len(urls) == 3000
    urls += [url.replace("//", "//bad.example/", 1) for url in urls[:100]]
    assert scores(rule, *urls) == [reference(url) for url in urls]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://bad.example/", "listed_domain"),
        ("https://a.b.BAD.example:8080/x", "listed_domain"),
        ("http://notbad.example/", None),
        ("http://bad.example.org/", None),
        ("http://anything.xxx", "listed_domain"),
        ("http://user:bad.example@good.example/", None),
        ("http://good.example/bad.example", None),
        ("http://10.0.0.1/x", "listed_domain"),
        ("http://www.only.example/", "listed_host"),
        ("http://sub.www.only.example/", None),
        ("http://only.example/", None),
        ("http://[2001:db8::1]:80/", "listed_host"),
        ("http://www.blog.example/bad", "listed_page"),
        ("http://blog.example/bad/more?x", "listed_page"),
        ("http://blog.example/badger", None),
        ("http://sub.blog.example/bad", None),
        ("http://shop.example/?cat=1&page=2", "listed_page"),
        ("http://shop.example/?cat=12", None),
        ("http://x.example/a-forbidden-thing", "listed_word"),
        ("http://x.example/unforbidden", None),
        ("http://x.example/big-ca.si.no", "listed_subword"),
        ("http://x.example/route/66", "listed_subword"),  # "rout", and no need of more
        ("http://x.example/escort", None),
        ("http://x.example/escort/escort", None),
        ("http://x.example/escort/webcam", "soft_words"),
        ("", None),
        (None, None),
    ],
)
def test_reasons(rule: UrlBlocklist, url: str | None, reason: str | None) -> None:
    assert rule.decide(rule.score(batch(url))).to_pylist() == [reason]


def test_without_lists_every_page_stays() -> None:
    rule = UrlBlocklist()
    assert rule.decide(rule.score(batch("http://a.example", None))).to_pylist() == [None, None]
    assert rule.score(batch()).num_rows == 0


def test_several_lists_and_another_state_of_a_file(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("a.example")
    second.write_text("\ufeffb.example\r\n\r\nc.example \r\n", encoding="utf-8")
    rule = UrlBlocklist(domains=(str(first), str(second)))
    urls = [f"http://{name}.example/" for name in "abcd"]
    assert [listed for listed, _ in scores(rule, *urls)] == ["listed_domain"] * 3 + [None]
    first.write_text("other.example")
    assert [listed for listed, _ in scores(rule, *urls)] == [None, "listed_domain", "listed_domain", None]


def test_many_entries(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("".join(f"host{n}.example\n" for n in range(200_000)))
    rule = UrlBlocklist(domains=(str(tmp_path / "list"),))
    urls = [f"http://host{n}.example/" for n in range(0, 400_000, 1000)]
    assert [listed is not None for listed, _ in scores(rule, *urls)] == [n < 200_000 for n in range(0, 400_000, 1000)]


def test_the_bytes_of_a_list_are_part_of_what_identifies_the_rule(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a.example\n")
    (tmp_path / "b").write_text("b.example\n")

    def digests() -> dict[str, str]:
        rule = UrlBlocklist(domains=(str(tmp_path / "a"), str(tmp_path / "b")))
        return NamedRule("url_blocklist", rule).identity()["models"]

    before = digests()
    assert set(before) == {"domains.0", "domains.1"}
    (tmp_path / "b").write_text("b.example\nc.example\n")
    after = digests()
    assert (before["domains.0"] == after["domains.0"], before["domains.1"] == after["domains.1"]) == (True, False)


@pytest.mark.parametrize("name", ["domains", "hosts"])
def test_hosts_outside_ascii(tmp_path: Path, name: str) -> None:
    entries = "MüNCHEN.example\r\n# größe.example\nhttps://straße.example:80/x\n日本.example\nü..example\nascii.example"
    (tmp_path / "list").write_text(f"\ufeff{entries}", encoding="utf-8", newline="")
    rule = UrlBlocklist(**{name: (str(tmp_path / "list"),)})
    listed = ["xn--mnchen-3ya", "XN--MNCHEN-3YA", "MüNCHEN", "xn--strae-oqa", "xn--wgv71a", "ascii"]
    others = ["xn--gre-6ka8l", "strasse", "munchen"]
    found = [why is not None for why, _ in scores(rule, *(f"http://{host}.example/" for host in [*listed, *others]))]
    assert found == [True] * len(listed) + [False] * len(others)
    [(below, _)] = scores(rule, "http://a.xn--mnchen-3ya.example")
    assert below == ("listed_domain" if name == "domains" else None)


def test_a_list_that_is_none(tmp_path: Path) -> None:
    for name, data in {"latin": b"a.example\nb\xfccher.example\n", "wide": "a\nb".encode("utf-16-le")}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=rf"{name}:[12]: not UTF-8 text: save the list as UTF-8"):
            UrlBlocklist(words=(str(tmp_path / name),)).score(batch("http://a.example"))
    with pytest.raises(UserError, match=r"cannot read the list .*none: No such file"):
        UrlBlocklist(words=(str(tmp_path / "none"),)).score(batch("http://a.example"))


def test_fewer_words_than_none() -> None:
    with pytest.raises(UserError, match="max_soft_words: input should be greater than or equal to 0"):
        parse_rules(["url_blocklist: {max_soft_words: -1}"])
