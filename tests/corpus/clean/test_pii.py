"""Addresses and numbers against plain expressions over the whole text, and against datatrove's `PIIFormatter`."""

import ipaddress
import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.pii import PHONE, VERSION, Pii
from tests.corpus.real_pages import judged_pages, wet_pages

LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
PLAIN = re.compile(r"[A-Za-z0-9._+-]+\Z")
LOCAL_RUN = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+(?=@)")
LOCAL_PART = re.compile(rf"\b{LOCAL}(?:\.{LOCAL})*(?=@)")
DOMAIN = re.compile(rf"@(?:{LABEL}\.)+(?=[0-9-]*[A-Za-z]){LABEL}")
V4 = re.compile(r"(?<![0-9.])[0-9.]+", re.ASCII)
V6 = re.compile(r"(?<![0-9a-fA-F.:])[0-9a-fA-F.:]+")


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})


def cleaned(text: str, rule: Pii | None = None) -> str:
    [_, found, _] = (rule or Pii()).clean(batch("1.1.1.1", text, "")).text.to_pylist()
    assert isinstance(found, str)
    return found


def is_public(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.is_global and (found.version == 4 or found in ipaddress.ip_network("2000::/3"))


def email_spans(text: str) -> list[tuple[int, int]]:
    spans = []
    behind = 0
    for at in re.finditer("@", text):
        run = next((found for found in LOCAL_RUN.finditer(text, behind) if found.end() == at.start()), None)
        domain = DOMAIN.match(text, at.start())
        if run is None or domain is None:
            continue
        first = run.start()
        if len(run[0]) > 64:
            plain = PLAIN.search(run[0])
            if plain is None or len(plain[0]) > 64:
                continue
            first = at.start() - len(plain[0])
        if (local := LOCAL_PART.search(text, first)) and local.end() == at.start():
            spans.append((local.start(), domain.end()))
            behind = domain.end()
    return spans


def alone(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - 1) : start], text[end : end + 2]
    return not (re.match(r"\w", before, re.ASCII) or re.match(r"\w|-[A-Za-z_]", after, re.ASCII))


def addresses(text: str) -> list[tuple[int, int, str]]:
    spans = []
    for match in V6.finditer(text):
        start, run = match.start(), match[0]
        if re.match(r"\w", text[max(0, start - 1) : start], re.ASCII) and ":" in run:
            start += run.index(":") + 1
            run = text[start : match.end()]
        if re.match(r":[^:]", run):
            start, run = start + 1, run[1:]
        run = run.rstrip(".")
        if run.endswith(":") and not run.endswith("::"):
            run = run[:-1]
        if run.count(":") >= 2 and is_public(run) and alone(text, start, start + len(run)):
            spans.append((start, start + len(run), "6"))
    for match in V4.finditer(text):
        run = match[0].rstrip(".")
        if is_public(run) and alone(text, match.start(), match.start() + len(run)):
            spans.append((match.start(), match.start() + len(run), "4"))
    return sorted(spans)


def reference(text: str) -> str:
    emails = email_spans(text)
    made = {"e": iter(Pii().email_replacements * 99), "4": iter(Pii().ip_replacements * 99)}
    made["6"] = iter(Pii().ipv6_replacements * 99)
    pieces, behind = [], 0
    for start, end, kind in sorted([*((*email, "e") for email in emails), *addresses(text)]):
        if kind != "e":
            before = text[behind:start].encode()[-24:].decode("utf-8", "replace")
            if (
                start < behind
                or any(start < b and a < end for a, b in emails)
                or (kind == "4" and VERSION.search(before))
            ):
                continue
        pieces += [text[behind:start], next(made[kind])]
        behind = end
    return "".join([*pieces, text[behind:]])


PIECES = [
    *(
        "john",
        "x.y",
        "@",
        "@",
        "example",
        ".",
        ".com",
        ".org",
        "-",
        "+tag",
        "'",
        "/",
        " ",
        " ",
        "\n",
        ",",
        "(",
        ")",
        "<",
    ),
    *("8.8.8.8", "1.1.1.1", "10.0.0.1", "256.1.1.1", "9.9.9.9.9", ":443", ":", "::", "2606:4700:4700::1111", "fe80::1"),
    *("IP", "ip6:", "host/", "foo/", "x" * 64, "=" * 64, "?e="),
    *("v", "version ", "Chrome/", "section ", "12:30:45", "1.2", "é", "中", "\0", "\ufffd", "_", "a", "0"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_as_the_reference(text: str) -> None:
    assert cleaned(text) == reference(text)


@given(st.text())
def test_any_text(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert cleaned(text) == reference(text)
    assert cleaned(cleaned(text, Pii(phones=True)), Pii(phones=True)) == cleaned(text, Pii(phones=True))


def real_texts(shared_data: Path) -> list[str]:
    path = shared_data / "c4" / "LLaMA-Factory" / "c4_demo.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][:100]
    pages = [*judged_pages(shared_data)[:200], *(page.text for page in wet_pages(shared_data))]
    return [*pages, *(row["text"] for row in rows)]


def test_real_texts(shared_data: Path) -> None:
    texts = real_texts(shared_data)
    made = Pii().clean(batch(*texts))
    assert made.text.to_pylist() == [reference(text) for text in texts]
    assert made.counts is not None
    counts = made.counts.to_pydict()
    assert sum(counts["emails"]) == sum(len(email_spans(text)) for text in texts) > 10
    assert [a != b for a, b in zip(texts, made.text.to_pylist(), strict=True)] == [
        any(some) for some in zip(counts["emails"], counts["ips"], counts["phones"], strict=True)
    ]


def test_beside_datatrove(shared_data: Path) -> None:
    """One formatter a document, since datatrove's counts go on from one to the next."""
    pii = pytest.importorskip("datatrove.pipeline.formatters.pii")
    texts = real_texts(shared_data)
    theirs = [pii.PIIFormatter().format(text) for text in texts]
    ours = Pii().clean(batch(*texts)).text.to_pylist()
    other = {text[:40] for text, a, b in zip(texts, theirs, ours, strict=True) if a != b}
    assert other <= {text[:40] for text in texts if re.search(r"\d\.\d+\.\d+\.\d", text)}  # version and section numbers
    assert len(other) <= 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to jane.doe@mail.example.net.", "Write to email@example.com."),
        ("a@b.co, c@d.co, e@f.co", "email@example.com, firstname.lastname@example.org, email@example.com"),
        ("<mailto:a@b.co>", "<mailto:email@example.com>"),
        ("npm/mathjax@3.2.0 is no address", "npm/mathjax@3.2.0 is no address"),
        ("@handle, user@host, a@.com", "@handle, user@host, a@.com"),
        ("ping 8.8.8.8, then 1.1.1.1:53.", "ping 22.214.171.124, then 126.96.36.199:53."),
        ("http://8.8.4.4/x", "http://22.214.171.124/x"),
        ("192.168.0.1 and 127.0.0.1 and 10.1.2.3", "192.168.0.1 and 127.0.0.1 and 10.1.2.3"),
        ("version 4.18.0.305 and v2.0.0.1", "version 4.18.0.305 and v2.0.0.1"),
        ("see section 3.2.1.4 and § 7.1.2.3", "see section 3.2.1.4 and § 7.1.2.3"),
        ("Chrome/91.0.4472.124 Safari", "Chrome/91.0.4472.124 Safari"),
        ("?ver=3.2.8.8 and 1.2.3.4.5 and 5.6.7.8-beta", "?ver=3.2.8.8 and 1.2.3.4.5 and 5.6.7.8-beta"),
        ("at 2606:4700:4700::1111 or fe80::1", "at 2001:db8::1 or fe80::1"),
        ("std::vector a::b 10:20:30 ::", "std::vector a::b 10:20:30 ::"),
        ("地址8.8.8.8是", "地址22.214.171.124是"),
        ("IP:8.8.8.8 is public", "IP:22.214.171.124 is public"),
        ("range 8.8.4.4-8.8.8.8 here", "range 22.214.171.124-126.96.36.199 here"),
        ("IPv6:2001:4860:4860::8888 here", "IPv6:2001:db8::1 here"),
        ("IP address:8.8.8.8", "IP address:22.214.171.124"),
        ("addr:8.8.8.8", "addr:22.214.171.124"),
        ("dns:2606:4700:4700::1111", "dns:2001:db8::1"),
        ("ip:8.8.8.8:53", "ip:22.214.171.124:53"),
        ("8.8.8.8:8.8.4.4", "22.214.171.124:126.96.36.199"),
        ("host/8.8.8.8/x", "host/22.214.171.124/x"),
        ("ipinfo.io/8.8.8.8", "ipinfo.io/22.214.171.124"),
        ("IP-8.8.8.8", "IP-22.214.171.124"),
        ("are:8.8.8.8,8.8.4.4", "are:22.214.171.124,126.96.36.199"),
        ("v1.2.3.4 openssl-1.2.3.4 ver:1.2.3.4", "v1.2.3.4 openssl-1.2.3.4 ver:1.2.3.4"),
        ("8.8.8.8@example.com", "email@example.com"),
        ("a" * 64 + "@x.org", "email@example.com"),
        ("a" * 70 + ".bob@x.org", "a" * 70 + ".bob@x.org"),
        ("https://x.org/" + "a" * 70 + "?e=bob@x.org", "https://x.org/" + "a" * 70 + "?e=email@example.com"),
        ("=" * 70 + "bob@x.org", "=" * 70 + "email@example.com"),
        ("a@b.co 8.8.8.8", "email@example.com 22.214.171.124"),
    ],
)
def test_examples(text: str, expected: str) -> None:
    assert cleaned(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("call (803) 327-8000 now", "call +1-202-555-0100 now"),
        ("(603-352-9722)", "(+1-202-555-0100)"),
        ("1-800-932-6509", "+1-202-555-0100"),
        ("+49 30 1234567 and +966 (1) 8011111", "+1-202-555-0100 and +1-202-555-0100"),
        ("812.723.4696x", "812.723.4696x"),
        ("2019-10-12 and 1234567890 and 3.14159265358979", "2019-10-12 and 1234567890 and 3.14159265358979"),
        ("+12 is not one, nor is 20130401-1234", "+12 is not one, nor is 20130401-1234"),
        ("écall803-327-8000", "écall803-327-8000"),
    ],
)
def test_phones(text: str, expected: str) -> None:
    assert cleaned(text, Pii(phones=True)) == expected
    assert cleaned(text) == text
    assert len(PHONE.findall(text)) >= expected.count("+1-202-555-0100")


def test_only_what_is_asked_for() -> None:
    text = "a@b.co 8.8.8.8 (803) 327-8000"
    assert cleaned(text, Pii(emails=False)) == "a@b.co 22.214.171.124 (803) 327-8000"
    assert cleaned(text, Pii(ips=False)) == "email@example.com 8.8.8.8 (803) 327-8000"
    assert cleaned(text, Pii(email_replacements=("x",), ip_replacements=("y",))) == "x y (803) 327-8000"


def test_documents_with_many_are_dropped_if_asked() -> None:
    """Dolma drops what has more than five (configs/dolma-v1_6/mixing/cc-head.yaml)."""
    texts = ["a@b.co " * 5, "a@b.co " * 5 + "8.8.8.8", "none"]
    assert Pii(max_replaced=5).clean(batch(*texts)).reason.to_pylist() == [None, "much_pii", None]
    assert Pii().clean(batch(*texts)).reason.to_pylist() == [None] * 3


def test_counts_slices_and_long_runs() -> None:
    long = ["a@" * 50_000, "1." * 50_000, ":" * 50_000, "1@1." * 20_000, "0 " * 50_000, "\ufffd\0" * 20_000]
    made = Pii(phones=True).clean(batch("x", "a@b.co", "8.8.8.8 9.9.9.9", "", *long).slice(1))
    assert made.counts is not None
    assert made.counts.to_pydict() == {
        "emails": [1, 0, 0, *[0] * 6],
        "ips": [0, 2, 0, *[0] * 6],
        "phones": [0] * 9,
    }
    assert made.reason.null_count == 9
    assert made.text.to_pylist()[3:] == long
    assert Pii().clean(batch()).text.to_pylist() == []
