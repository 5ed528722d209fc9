import pytest

from corpus.sources.archive import TooLarge
from corpus.sources.tex_files import MAX_DEPTH, decode_all, flatten, main_file

PAPER = "\\documentclass{article}\n\\begin{document}\n%s\n\\end{document}\n"


def paper(body: str) -> str:
    return PAPER.replace("%s", body)


def flat(texts: dict[str, str], main: str = "main.tex", limit: int = 10_000) -> str:
    return flatten(main, texts, limit)[0]


def test_files_are_put_where_they_are_read() -> None:
    texts = {
        "main.tex": '1 \\input{a} 2 \\include{sections/b}3 \\input a.tex 4\\input{"c"}\\subfile{./d}',
        "a.tex": "A",
        "sections/b.tex": "B \\input{sections/e} \\input{e}",
        "sections/e.tex": "E",
        "c": "C",
        "d.tex": paper("D"),
    }
    text, missing = flatten("main.tex", texts, 1000)
    assert text == "1 A 2 B E E3 A 4C\nD\n"
    assert missing == []


def test_what_is_no_command_is_not_obeyed() -> None:
    for text in (
        r"% \input{a}",
        r"\\input{a}",
        r"\inputx{a}",
        r"\input@a{a}",
        r"a \% b % \include{a}",
        r"\includegraphics{a}",
    ):
        assert flat({"main.tex": text, "a.tex": "A"}) == text
    assert flat({"main.tex": "\\% \\input{a} % \\input{a}\n\\input{a}", "a.tex": "A"}) == "\\% A % \\input{a}\nA"


def test_endinput_ends_a_file() -> None:
    assert flat({"main.tex": "1\\input{a}2", "a.tex": "A\\endinput B"}) == "1A2"
    assert flat({"main.tex": "1\\input{a}2", "a.tex": "A% \\endinput\nB"}) == "1A% \\endinput\nB2"


def test_missing_and_circular_files_are_noted() -> None:
    texts = {"main.tex": "\\input{a} \\input{gone} \\input{../up}", "a.tex": "\\input{main}\\input{a}A"}
    assert flatten("main.tex", texts, 1000) == (
        "\\input{main}\\input{a}A \\input{gone} \\input{../up}",
        ["../up", "a", "gone", "main"],
    )


def test_depth_and_length_are_limited() -> None:
    chain = {f"{i}.tex": f"<\\input{{{i + 1}}}>" for i in range(MAX_DEPTH + 5)}
    text, missing = flatten("0.tex", chain, 1000)
    assert text == "<" * (MAX_DEPTH + 1) + f"\\input{{{MAX_DEPTH + 1}}}" + ">" * (MAX_DEPTH + 1)
    assert missing == [str(MAX_DEPTH + 1)]
    many = {f"{i}.tex": f"\\input{{{i + 1}}}" * 10 for i in range(MAX_DEPTH)} | {f"{MAX_DEPTH}.tex": ""}
    with pytest.raises(TooLarge):
        flatten("0.tex", many, 100_000)


def test_the_main_file() -> None:
    assert main_file({"a.tex": "x" * 500, "b.tex": paper("short")}) == "b.tex"
    assert main_file({"a.tex": "% \\documentclass\n" + "x" * 500, "b.tex": paper("short")}) == "b.tex"
    assert main_file({"a.tex": "x", "b.tex": "xx", "c.tex": "yy"}) == "b.tex"
    assert main_file({"a.tex": "\\documentstyle{amsppt}", "b.tex": "x" * 500}) == "a.tex"
    sub = {"main.tex": paper("\\input{a}"), "a.tex": paper("x" * 500)}
    assert main_file(sub) == "main.tex"
    reply = {"main.tex": paper("\\input{a}"), "a.tex": "x" * 500, "reply.tex": paper("y" * 300)}
    assert main_file(reply) == "main.tex"
    assert main_file({"z/main.tex": paper("x"), "main.tex": paper("x")}) == "main.tex"
    assert main_file({"a.tex": paper("\\input{b}"), "b.tex": paper("\\input{a}")}) == "a.tex"


def test_encodings() -> None:
    texts, encodings = decode_all(
        {"a.tex": "é\r\nb\rc".encode(), "b.tex": "\ufeffß".encode(), "c.tex": "é“".encode("cp1252")}
    )
    assert texts == {"a.tex": "é\nb\nc", "b.tex": "ß", "c.tex": "é“"}
    assert encodings == ["cp1252", "utf-8"]
    assert decode_all({"a": b"\x81\xe9"}) == ({"a": "\x81é"}, ["latin-1"])


def test_a_declared_encoding() -> None:
    main = "\\usepackage[koi8-r]{inputenc}\nТекст"
    texts, encodings = decode_all(
        {"main.tex": main.encode("koi8-r"), "a.tex": "Ещё".encode("koi8-r"), "b.tex": "Ещё".encode()}
    )
    assert texts == {"main.tex": main, "a.tex": "Ещё", "b.tex": "Ещё"}
    assert encodings == ["koi8-r", "utf-8"]
    unknown = "\\usepackage[strange]{inputenc} é"
    assert decode_all({"main.tex": unknown.encode("latin-1")})[0] == {"main.tex": unknown}
    commented = "% \\usepackage[koi8-r]{inputenc}\né"
    assert decode_all({"main.tex": commented.encode("latin-1")})[0] == {"main.tex": commented}
