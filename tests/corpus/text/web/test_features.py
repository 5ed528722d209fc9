"""What is known of a block: the kernels beside plain Python."""

import re

import numpy as np
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.hash_table import table
from corpus.text.web import tags
from corpus.text.web.features import (
    FEATURES,
    KINDS,
    MAX_HINTS,
    NEAR,
    NUMBERS,
    OWN,
    features,
    hint_words,
    next_word,
)
from corpus.text.web.main_text import LONG_ITEM, _join_groups, around
from corpus.text.web.parse import CHARS, LINKED, NODE, PARENT, TAG, parse

NO_WORDS = table(np.zeros(0, np.uint64), np.zeros(0, np.float32))
ATTRIBUTES = st.text(alphabet="aBcDE-_ 12é", max_size=40)


def hashed(word: bytes) -> int:
    return xxhash.xxh64_intdigest(word[:24])


@given(ATTRIBUTES)
def test_words_of_an_attribute(text: str) -> None:
    data = text.encode()
    words = re.findall(rb"[A-Z]+[a-z]*|[a-z]+", data)
    expected = dict.fromkeys(hashed(word.lower()) for word in words if len(word) >= 2)
    found = np.empty(MAX_HINTS, np.uint64)
    count = hint_words(np.frombuffer(data, np.uint8), 0, len(data), found, 0)
    assert found[:count].tolist() == list(expected)[:MAX_HINTS]


@given(st.text(max_size=60))
def test_words_of_a_text(text: str) -> None:
    data = text.encode()
    array, buffer, at, found = np.frombuffer(data, np.uint8), np.empty(24, np.uint8), 0, []
    while True:
        value, start, at = next_word(array, at, len(data), buffer)
        if start == at:
            break
        found.append((int(value), at - start))
    words = re.findall(rb"[0-9A-Za-z\x80-\xff]+", data)
    assert found == [(hashed(word.lower()), len(word)) for word in words]


def test_what_the_columns_say() -> None:
    html = (
        "<title>High water</title><body><ul class=menu><li><a href=1>one</a><li><a href=2>one</a></ul>"
        f"<article><h1>High water</h1><p>{'The tide is high, again. ' * 20}</p><pre>x = 1</pre></article>"
    )
    page = parse(html.encode())
    words = table(np.array([hashed(b"tide")], np.uint64), np.array([0.5], np.float32))
    hints = table(np.array([hashed(b"menu")], np.uint64), np.array([-2], np.float32))
    rows = features(page, hints, words)
    assert rows.shape == (5, FEATURES)

    def column(name: str) -> list[float]:
        return rows[:, NUMBERS.index(name)].tolist()

    assert column("share in links") == [1, 1, 0, 0, 0]
    assert column("stands on the page again") == [1, 1, 0, 0, 0]
    assert column("code") == [0, 0, 0, 0, 1]
    assert column("ends as a sentence does") == [0, 0, 0, 1, 0]
    assert column("weight of the words around") == [-2, -2, 0, 0, 0]
    assert column("share of the title's words")[2] == np.float32(2 / 3)
    assert column("before the <h1>") == [1, 1, 0, 0, 0]
    assert column("in the main element")[3] == 1
    assert column("weight of all words")[3] > 0
    kinds = [KINDS.index(("li",)), KINDS.index(("li",)), KINDS.index(("h1",)), KINDS.index(("p",))]
    assert rows[:4, len(NUMBERS) : len(NUMBERS) + len(KINDS)].argmax(axis=1).tolist() == kinds


TABLE = "<table><tr><td>x<td><a href=y>z</a></table>"
BLOCKS = st.sampled_from(
    ["<p>word word</p>", "<ul><li>a<li>b</ul>", "<div>text", "</div>", TABLE, "<ol>", "<li>q", "</ol>"]
)


@given(st.lists(BLOCKS, max_size=20).map("".join))
def test_neighbours_are_those_of_the_page(html: str) -> None:
    rows = features(parse(html.encode()), NO_WORDS, NO_WORDS)
    own = rows[:, :OWN][:, NEAR]
    width = len(NEAR)
    padded = np.pad(own, ((20, 20), (0, 0)))
    for row in range(len(rows)):
        at = row + 20
        assert np.allclose(rows[row, OWN : OWN + width], padded[at - 1])
        assert np.allclose(rows[row, OWN + width : OWN + 2 * width], padded[at + 1])
        assert np.allclose(rows[row, OWN + 2 * width : OWN + 3 * width], (padded[at - 2] + padded[at + 2]) / 2)
        for start, reach in ((3, 6), (4, 20)):
            low, high = max(row - reach, 0), row + reach + 1
            got = rows[row, OWN + start * width : OWN + (start + 1) * width]
            assert np.allclose(got, own[low:high].mean(axis=0), atol=1e-4)


@given(st.lists(BLOCKS, max_size=20).map("".join), st.data())
def test_a_list_or_a_table_has_one_probability(html: str, data: st.DataObject) -> None:
    page = parse(html.encode())
    size = len(page.blocks)
    found = np.array(data.draw(st.lists(st.floats(0, 1, width=32), min_size=size, max_size=size)), np.float32)
    out = found.copy()
    _join_groups(page.nodes, page.blocks, found, out)

    groups: list[int] = []
    for node in page.blocks[:, NODE].tolist():
        group, path = -1, []
        while node >= 0:
            path.append(node)
            node = int(page.nodes[node, PARENT])
        for node in reversed(path):
            name = tags.NAMES[page.nodes[node, TAG]] if page.nodes[node, TAG] < len(tags.NAMES) else ""
            above = tags.NAMES[page.nodes[group, TAG]] if group >= 0 else ""
            if name == "table" or (name in ("ul", "ol", "menu", "dir", "dl") and above in ("", "table")):
                group = node
        groups.append(group)
    expected = found.copy()
    start = 0
    for end in range(1, size + 1):
        if end < size and groups[end] == groups[start]:
            continue
        chars = page.blocks[start:end, CHARS]
        if groups[start] >= 0 and end - start > 1 and chars.max() <= LONG_ITEM:
            mean = float(found[start:end].astype(float) @ chars) / chars.sum()
            sure = start > 0 and end < size and min(found[start - 1], found[end]) > 0.6
            if sure and page.blocks[start:end, LINKED].sum() < 0.3 * chars.sum():
                mean = max(mean, 0.6)
            expected[start:end] = mean
        start = end
    assert np.allclose(out, expected, atol=1e-5)
    rows = around(page, found)
    if size:
        assert np.allclose(rows[:, 0], found)
        assert np.allclose(rows[1:, 1], found[:-1])
        assert np.allclose(rows[:, 9], out, atol=1e-5)
