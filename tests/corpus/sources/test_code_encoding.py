import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.code_encoding import declared_encoding, decode_source, is_plausible

CODE = "int main(void)\n{\n    return compute(1, 2);  // done\n}\n"
CHINESE = "// 这个函数计算潮汐的高度\n// 如果没有数据则返回错误\n"
JAPANESE = "// この関数は潮の高さを計算します\n// データがない場合はエラーを返す\n"
KOREAN = "// 이 함수는 조수의 높이를 계산한다\n// 자료가 없으면 오류를 돌려준다\n"
RUSSIAN = "// Эта функция вычисляет высоту прилива\n// Если данных нет, возвращает ошибку\n"
UKRAINIAN = "// Ця функція обчислює висоту припливу, її ґрунт і євро\n// Якщо даних немає, повертає помилку\n"
POLISH = "// Ta funkcja oblicza wysokość pływu\n// Jeżeli danych brak, zwraca błąd, który należy obsłużyć\n"
CZECH = "// Tato funkce počítá výšku přílivu\n// Když chybějí údaje, vrátí chybu, kterou můžeme ošetřit\n"
HUNGARIAN = "// Ez a függvény kiszámítja az árapály értékét\n// Ha nincs adat, hibát ad vissza a különböző időkből\n"
GERMAN = "// Diese Funktion berechnet die Höhe der Flut für größere Häfen\n"
FRENCH = "// Cette fonction calcule la hauteur de la marée, même là où elle n'a pas été mesurée, façade comprise\n"
SPANISH = "// Esta función calcula la altura de la marea del año según los números\n"
SIGNS = "// © 2011 Ada Lovelace: 25 °C ± 0.5 “quoted” – it’s …\n"


@pytest.mark.parametrize(
    ("comment", "encoding"),
    [
        *((CHINESE, encoding) for encoding in ("gbk", "gb18030")),
        *((JAPANESE, encoding) for encoding in ("shift_jis", "euc_jp", "iso2022_jp")),
        (KOREAN, "euc_kr"),
        *((RUSSIAN, encoding) for encoding in ("cp1251", "koi8-r", "cp866", "iso8859-5")),
        *((UKRAINIAN, encoding) for encoding in ("koi8-u",)),
        *((comment, encoding) for comment in (POLISH, CZECH, HUNGARIAN) for encoding in ("iso8859-2", "cp1250")),
        *((comment, "latin-1") for comment in (GERMAN, FRENCH, SPANISH)),
        (SIGNS, "cp1252"),
    ],
)
def test_encodings_that_nobody_states(comment: str, encoding: str) -> None:
    text = CODE + comment + CODE
    decoded = decode_source(text.encode(encoding))
    assert decoded is not None
    assert decoded.text == text
    assert decoded.replaced == 0


@pytest.mark.parametrize(
    ("comment", "encoding"), [(FRENCH, "cp850"), (FRENCH, "mac-roman"), (GERMAN, "cp037"), (SPANISH, "mac-roman")]
)
def test_what_cannot_be_told_is_refused_and_never_misread(comment: str, encoding: str) -> None:
    assert decode_source((CODE + comment).encode("ascii", "ignore") + comment.encode(encoding)) is None


@pytest.mark.parametrize(
    ("declaration", "encoding"),
    [
        *((f"# -*- coding: {name} -*-\n", name) for name in ("koi8-r", "cp1251", "iso-8859-5", "mac-cyrillic")),
        ("#!/usr/bin/python\n# vim: set fileencoding=cp866 :\n", "cp866"),
        ("# coding=cp1251-unix\n", "cp1251"),
        ("// -*- mode: c; coding: windows-1251 -*-\n", "cp1251"),
        ('<?xml version="1.0" encoding="ISO-8859-5"?>\n', "iso8859-5"),
        ('<html><head><meta charset="koi8-r">\n', "koi8-r"),
        ('@charset "cp1251";\n', "cp1251"),
        ("\\usepackage[koi8-r]{inputenc}\n", "koi8-r"),
    ],
)
def test_encodings_that_the_file_declares(declaration: str, encoding: str) -> None:
    text = f"{declaration}print('ы')\n"  # too little to be recognised
    decoded = decode_source(text.encode(encoding))
    assert decoded is not None
    assert (decoded.text, decoded.replaced) == (text, 0)


def test_declarations_at_the_end() -> None:
    emacs = "/* Local Variables:\n   mode: c\n   coding: koi8-r\n   End: */\n"
    for end, name in ((emacs, "koi8-r"), ("// vim: ts=4 fenc=cp1251 et\n", "cp1251")):
        text = f"// Ы\n{CODE * 30}{end}"
        assert declared_encoding(text.encode(name)) == name
        decoded = decode_source(text.encode(name))
        assert decoded is not None
        assert decoded.text == text


def test_declarations_that_are_none() -> None:
    for line in (
        b"",
        b"# coding: rot13\n",
        b"# coding: nonsense\n",
        b"x = 'coding: koi8-r'\n",
        b"\n\n# coding: koi8-r\n",
    ):
        assert declared_encoding(line) is None
    assert declared_encoding(b"# coding: gb2312\n") == "gb18030"  # the wider one that browsers take


def test_a_false_declaration_is_not_believed() -> None:
    text = "# -*- coding: latin-1 -*-\n" + CHINESE
    for encoding in ("utf-8", "gbk"):
        decoded = decode_source(text.encode(encoding))
        assert decoded is not None
        assert decoded.text == text


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(mark: str) -> None:
    decoded = decode_source((CODE + RUSSIAN).encode(mark))
    assert decoded is not None
    assert decoded.text == CODE + RUSSIAN
    big = decode_source(codecs.BOM_UTF16_BE + CODE.encode("utf-16-be"))
    assert big is not None
    assert big.text == CODE
    assert decode_source(codecs.BOM_UTF16_LE + b"abc") is None


def test_a_bad_byte_costs_itself() -> None:
    text = CODE + GERMAN + CODE
    data = text.encode()
    broken = data.replace(b"return", b"ret\xffurn", 1)
    decoded = decode_source(broken)
    assert decoded is not None
    assert decoded.text == text.replace("return", "ret�urn", 1)
    assert (decoded.encoding, decoded.replaced) == ("utf-8", 1)
    ascii_only = (CODE * 20).encode().replace(b"compute", b"comp\x81ute", 1)
    decoded = decode_source(ascii_only)
    assert decoded is not None
    assert decoded.text == (CODE * 20).replace("compute", "comp�ute", 1)
    assert decode_source(text.encode() + text.replace("ö", "�").encode()) is not None  # one that is stated is no damage


@pytest.mark.parametrize(
    "text", [RUSSIAN, UKRAINIAN, POLISH, CZECH, HUNGARIAN, GERMAN, FRENCH, SPANISH, SIGNS, CHINESE]
)
def test_text_is_plausible(text: str) -> None:
    assert is_plausible(CODE + text)


@pytest.mark.parametrize(
    ("text", "written", "read"),
    [
        *((RUSSIAN, written, "cp1252") for written in ("cp1251", "koi8-r", "cp866")),
        (RUSSIAN, "koi8-r", "cp1251"),
        (CHINESE, "gbk", "cp1252"),
        (GERMAN, "cp850", "cp1252"),
        (UKRAINIAN, "koi8-u", "koi8-r"),
    ],
)
def test_misread_text_is_not(text: str, written: str, read: str) -> None:
    assert not is_plausible(text.encode(written).decode(read, "replace"))


@given(st.binary(max_size=2000), st.sampled_from([b"", b"# coding: gbk\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1b$B"]))
def test_any_bytes_give_text_or_nothing(data: bytes, head: bytes) -> None:
    decoded = decode_source(head + data)
    if decoded is not None:
        decoded.text.encode("utf-8", "surrogatepass")
        assert decoded.replaced >= 0


@given(st.text(max_size=500))
def test_utf_8_is_itself(text: str) -> None:
    data = text.encode("utf-8", "replace")
    if not data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\x1b$" not in data:
        decoded = decode_source(data)
        assert decoded is not None
        assert (decoded.text, decoded.encoding, decoded.replaced) == (data.decode(), "utf-8", 0)
