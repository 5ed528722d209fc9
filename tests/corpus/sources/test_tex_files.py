from corpus.sources.tex_files import Texts, declared_encoding, find_command, find_file, looks_like_tex, main_file

PAPER = "\\documentclass{article}\n\\begin{document}\n%s\n\\end{document}\n"


def paper(body: str) -> str:
    return PAPER.replace("%s", body)


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


def test_what_is_hardly_the_main_file() -> None:
    long = paper("x" * 500)
    for name in (
        "supplement.tex",
        "SI.tex",
        "my_appendix.tex",
        "cover.tex",
        "response.tex",
        "main_old.tex",
        "anc/x.tex",
    ):
        assert main_file({name: long, "paper.tex": paper("short")}) == "paper.tex"
    assert main_file({"threshold.tex": long, "paper.tex": paper("short")}) == "threshold.tex"
    assert main_file({"supplement.tex": long, "anc/x.tex": long}) == "supplement.tex"
    part = long.replace("{article}", "[../main]{subfiles}")
    assert (
        main_file({"sections/a.tex": part, "main.tex": paper("\\newcommand{\\s}[1]{\\subfile{sections/#1}}")})
        == "main.tex"
    )


def test_a_file_that_another_imports_is_not_the_main_one() -> None:
    for read in ("\\import{a/}{b}", "\\subimport{a}{b.tex}", "\\subfile{a/b}", "\\includestandalone[x=1]{a/b}"):
        assert main_file({"main.tex": paper(read), "a/b.tex": paper("x" * 500)}) == "main.tex"


def test_a_class_or_a_beginning_in_another_file() -> None:
    preamble = "\\documentclass{book}\n" + "x" * 500
    body = {"book.tex": "\\input{macros}\n\\begin{document}\\input{one}\\end{document}", "one.tex": "y" * 50}
    assert main_file({"macros.tex": preamble, **body}) == "book.tex"
    wrapped = {"a4.tex": "\\documentclass{book}\\input{main}", "main.tex": "\\begin{document}" + "x" * 900}
    assert main_file({**wrapped, "solutions.tex": paper("y" * 500)}) == "a4.tex"
    whole = {"a4.tex": "\\def\\paper{a4}\\input{main}", "main.tex": paper("x" * 900)}
    assert main_file({**whole, "solutions.tex": paper("y" * 500)}) == "a4.tex"


def test_many_files_end() -> None:
    texts = {f"{number}.tex": paper(f"\\input{{{number % 7}}}") for number in range(3_000)}
    assert main_file(texts) in texts


def test_files_are_found_in_order_of_folders() -> None:
    texts = {"a.tex", "b", "c/a.tex", "c/d.v2.tex"}
    assert find_file("a", ["", "c"], texts) == "a.tex"
    assert find_file("a", ["c", ""], texts) == "c/a.tex"
    assert find_file("./c/../b", [""], texts) == "b"
    assert find_file('"c/d.v2"', [""], texts) == "c/d.v2.tex"
    assert find_file("c\\a.tex", [""], texts) == "c/a.tex"
    assert find_file("../a", ["c"], texts) == "a.tex"
    assert find_file("../a", [""], texts) is None
    assert find_file("", [""], texts) is None


def test_commands_behind_a_comment_sign_are_not_found() -> None:
    import re

    pattern = re.compile(r"\\x")
    assert find_command(pattern, "% \\x\n\\\\% \\x\n\\% \\x") is not None
    assert find_command(pattern, "% \\x\n\\\\% \\x") is None


def test_encodings() -> None:
    texts = Texts({"a.tex": "é\r\nb\rc".encode(), "b.tex": "\ufeffß".encode(), "c.tex": "é“".encode("cp1252")}, None)
    assert dict(texts) == {"a.tex": "é\nb\nc", "b.tex": "ß", "c.tex": "é“"}
    assert texts.encodings == {"cp1252", "utf-8"}
    assert dict(Texts({"a": b"\x81\xe9"}, None)) == {"a": "\x81é"}
    unread = Texts({"a": b"\x81\xe9"}, None)
    assert "a" in unread
    assert len(unread) == 1
    assert unread.encodings == set()


def test_a_declared_encoding() -> None:
    main = "\\usepackage[koi8-r]{inputenc}\nТекст"
    files = {"main.tex": main.encode("koi8-r"), "a.tex": "Ещё".encode("koi8-r"), "b.tex": "Ещё".encode()}
    texts = Texts(files, declared_encoding(files))
    assert dict(texts) == {"main.tex": main, "a.tex": "Ещё", "b.tex": "Ещё"}
    assert texts.encodings == {"koi8-r", "utf-8"}
    assert declared_encoding({"a": b"\\usepackage[strange]{inputenc}"}) is None
    assert declared_encoding({"a": b"% \\usepackage[koi8-r]{inputenc}\n"}) is None


def test_what_looks_like_tex() -> None:
    assert looks_like_tex(b"\\documentclass{article}")
    assert looks_like_tex(b"a \\def\\x{} b")
    assert not looks_like_tex(b"\\sectional \\beginning")
