"""Charsets of pages: what the header, the markup and the bytes say, and which of them is right."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.web.charset import decode_html

FRENCH = "Le quai était désert, à l'époque où la marée se retirait très loin; l'hôtel fermait tôt. "
RUSSIAN = "Начальник порта снова переписал таблицу приливов и прибил её к двери. "
JAPANESE = "港長は潮汐表をもう一度書き直して、小屋の戸に釘で打ち付けた。"
CHINESE = "港务长又写了一遍潮汐表，把它钉在小屋的门上。"
KOREAN = "항만장은 조석표를 다시 써서 오두막 문에 못으로 박았다. "
POLISH = "Kapitan portu znów przepisał tabelę pływów i przybił ją gwoździem do drzwi: zażółć gęślą jaźń. "


def page(text: str, encoding: str, meta: str | None = None, before: str = "") -> bytes:
    label = f'<meta http-equiv="Content-Type" content="text/html; charset={meta}">' if meta else ""
    html = f"<!doctype html><html><head>{before}{label}<title>Page</title></head><body><p>{text * 4}</p></body></html>"
    return html.encode(encoding)


@pytest.mark.parametrize(
    ("text", "encoding", "declared", "meta"),
    [
        # The label is right, in the header or in the markup, under whatever name.
        (FRENCH, "latin-1", "ISO-8859-1", None),
        (FRENCH, "cp1252", None, "iso-8859-1"),
        (FRENCH, "mac-roman", None, "x-mac-roman"),
        (RUSSIAN, "cp1251", "windows-1251", None),
        (RUSSIAN, "cp1251", None, "win-1251"),
        (RUSSIAN, "koi8-r", None, "KOI8-R"),
        (JAPANESE, "cp932", None, "x-sjis"),
        (JAPANESE, "euc-jp", "EUC-JP", None),
        (JAPANESE, "iso2022_jp", "ISO-2022-JP", None),
        (CHINESE, "gb18030", None, "gb2312"),
        (CHINESE, "hz", "hz-gb-2312", None),
        (KOREAN, "cp949", None, "ks_c_5601-1987"),
        (POLISH, "iso8859-2", None, "iso-8859-2"),
        # No label.
        (FRENCH, "cp1252", None, None),
        (RUSSIAN, "cp1251", None, None),
        (RUSSIAN, "koi8-r", None, None),
        (JAPANESE, "cp932", None, None),
        (JAPANESE, "euc-jp", None, None),
        (JAPANESE, "iso2022_jp", None, None),
        (CHINESE, "gb18030", None, None),
        (KOREAN, "euc-kr", None, None),
        (RUSSIAN, "utf-16-le", None, None),
        (FRENCH, "utf-16-be", None, None),
        # UTF-8 under other names: the bytes show it.
        (FRENCH, "utf-8", "ISO-8859-1", None),
        (RUSSIAN, "utf-8", "windows-1251", "windows-1251"),
        (JAPANESE, "utf-8", "Shift_JIS", None),
        (FRENCH, "utf-8", "x-unknown", "utf8mb4"),
        (FRENCH, "utf-8", "base64", None),  # a codec of Python's that is no charset
        # UTF-8 as a name for others: the other label, or the bytes.
        (FRENCH, "cp1252", "utf-8", None),
        (RUSSIAN, "cp1251", "utf-8", "windows-1251"),
        (RUSSIAN, "cp1251", "windows-1251", "utf-8"),
        (JAPANESE, "euc-jp", "utf-8", "utf-8"),
        # A label that the bytes do not fit.
        (JAPANESE, "euc-jp", "Shift_JIS", "euc-jp"),
    ],
)
def test_the_text_is_right(text: str, encoding: str, declared: str | None, meta: str | None) -> None:
    body = page(text, encoding, meta)
    found, _ = decode_html(body, declared)
    assert found == body.decode(encoding)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)
def test_a_byte_order_mark_is_stronger_than_any_label(mark: bytes, encoding: str) -> None:
    body = page(FRENCH, encoding, "windows-1251")
    assert decode_html(mark + body, "koi8-r") == (body.decode(encoding), encoding)


def test_a_label_far_down_is_found_and_one_in_a_comment_is_not() -> None:
    body = page(RUSSIAN, "cp1251", "windows-1251", before=f"<script>{'x' * 3000}</script>")
    assert decode_html(body, None) == (body.decode("cp1251"), "cp1251")
    body = page(RUSSIAN, "cp1251", "windows-1251", before="<!-- <meta charset=koi8-r> -->")
    assert decode_html(body, None) == (body.decode("cp1251"), "cp1251")


def test_one_bad_byte_in_utf8_costs_that_byte() -> None:
    body = page(FRENCH, "utf-8")
    at = body.index("désert".encode())
    broken = body[:at] + b"\xff" + body[at:]
    for declared in (None, "utf-8", "iso-8859-1"):
        text, charset = decode_html(broken, declared)
        assert charset == "utf-8"
        assert text.replace("\ufffd", "") == body.decode()
        assert text.count("\ufffd") == 1


@given(st.binary(max_size=300), st.none() | st.text(max_size=12) | st.sampled_from(["utf-8", "utf-16", "hz", "utf-7"]))
def test_any_bytes_and_any_label_give_some_text(body: bytes, declared: str | None) -> None:
    text, charset = decode_html(body, declared)
    text.encode()  # no lone surrogates
    codecs.lookup(charset)


@given(
    st.text(alphabet=st.characters(min_codepoint=0xA0, exclude_categories=["Cs"]), min_size=1),
    st.sampled_from([None, "latin1", "koi8-r"]),
)
def test_valid_utf8_is_utf8(text: str, declared: str | None) -> None:
    assert decode_html(text.encode(), declared)[1] in ("utf-8", "utf-16-le", "utf-16-be")


@pytest.mark.parametrize(
    ("body", "declared", "text", "charset"),
    [
        ("Ünï".encode(), "utf-8", "Ünï", "utf-8"),
        ("Ünï".encode("latin-1"), "ISO-8859-1", "Ünï", "cp1252"),  # as the WHATWG standard reads that name
        ("\ufeffÜ".encode(), "iso-8859-1", "Ü", "utf-8"),  # the byte order mark wins
        ("\ufeffÜ".encode("utf-16-le"), None, "Ü", "utf-16-le"),
        ("①髙".encode("cp932"), "Shift_JIS", "①髙", "cp932"),  # beyond Python's shift_jis
        ("<meta charset=windows-1251>Привет".encode("cp1251"), None, "<meta charset=windows-1251>Привет", "cp1251"),
        ("<meta charset=windows-1251>Ü".encode(), "UTF-8", "<meta charset=windows-1251>Ü", "utf-8"),  # header first
        ("<meta charset=utf-16>Ü".encode(), None, "<meta charset=utf-16>Ü", "utf-8"),
        (b"ab\xff", "utf-8", "ab\ufffd", "utf-8"),
        ("Ünï".encode(), "no-such-charset", "Ünï", "utf-8"),
        (b"a" * 200_000 + "Ü".encode() + b"a" * 200_000, None, "a" * 200_000 + "Ü" + "a" * 200_000, "utf-8"),
        ("Der größte Bär müßte öfter lächeln".encode("cp1252"), None, "Der größte Bär müßte öfter lächeln", "cp1252"),
        (b"YWJj", "base64", "YWJj", "utf-8"),  # a codec of Python's that is no charset
    ],
)
def test_charset(body: bytes, declared: str | None, text: str, charset: str) -> None:
    assert decode_html(body, declared) == (text, charset)
