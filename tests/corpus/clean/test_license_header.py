from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.license_header import FIRST_LINES, LicenseHeader, without_header
from corpus.schema import Document
from corpus.sources.github import Github
from corpus.sources.raw import list_files

APACHE = """Copyright 2011 Ada Lovelace

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License."""


def lines(sign: str, text: str = APACHE) -> str:
    return "".join(f"{sign} {line}".rstrip() + "\n" for line in text.split("\n"))


@pytest.mark.parametrize(
    ("ending", "header"),
    [
        *((".js", lines(sign)) for sign in ("//", "///", " //")),
        *((".py", lines(sign)) for sign in ("#", "##")),
        *((".c", f"/*\n{lines(' *')} */\n"), (".css", f"/*! {APACHE} */\n"), (".c", "/* (C) 1999 Ada */\n")),
        *((".sql", lines("--")), (".lisp", lines(";;")), (".erl", lines("%")), ("", lines("#"))),
        *((".html", f"<!--\n{APACHE}\n-->\n"), (".md", f"<!-- {APACHE} -->\n")),
        *((".py", f'"""{APACHE}\n"""\n'), (".py", f"'''\n{APACHE}'''\n"), (".py", f'r"""{APACHE}"""\n')),
        (".c", "// SPDX-License-Identifier: MIT\n"),
        (".go", "// Copyright The Authors. All rights reserved.\n\n// Use is governed by a BSD-style license\n"),
        (".c", "/* Copyright (c) 2011 */\n/* All rights reserved. */\n"),
        (".rs", "// Distributed under the terms\n// of the MIT license.\n"),
        (".rs", "// Licensed to Ada\n// under agreements.\n"),
        (".py", "# This program is free software, under the terms of the GNU General Public\n# License.\n"),
        (".js", "/**\n * @license MIT\n */\n"),
        (".java", lines("//").replace("\n", "\r\n")),
    ],
)
def test_headers_go(ending: str, header: str) -> None:
    code = "code();\n// Copyright 2011 stays here\n"
    assert without_header(header + "\n\n" + code, ending) == code
    assert without_header("\n" + header + code, ending) == "\n" + code
    assert without_header(header, ending) == ""
    assert without_header(code + header, ending) == code + header


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        # RedPajama's github_clean_dedup_local.py deletes all of these.
        (".c", "#include <stdio.h>\n#define X 1\n\nint x;\n"),
        (".sh", "#!/bin/sh\necho\n"),
        (".md", "# Title\n\nText\n"),
        (".py", "# Computes x.\n# And y.\nx = 1\n"),
        (".sql", "-- the users\nSELECT 1\n"),
        (".js", "// entry point\nrun()\n"),
        ("", "# Copied by hand\nall:\n"),
        # Headings, front matter, directives, attributes, selectors are no comments.
        (".md", "# Copyright 2011 Ada\n\nText\n"),
        (".md", "---\nlicense: Copyright 2011 Ada\n---\nText\n"),
        (".md", "// Copyright 2011 Ada\n"),
        (".rst", "% Copyright 2011 Ada\n"),
        (".c", '#define NOTICE "Copyright 2011 Ada"\n'),
        (".weird", '#define NOTICE "Copyright 2011 Ada"\n'),
        (".rs", '#![doc = "Copyright 2011 Ada"]\n'),
        (".css", '#copyright { content: "Copyright 2011 Ada" }\n'),
        (".go", "//go:build linux // Copyright 2011 Ada\n"),
        (".lua", "--[[ Copyright 2011\nAda ]]\nx = 1\n"),
        (".m4", "%{ Copyright 2011\n%}\n"),
        # Comments on something else.
        (".c", "/* Checks the license key. */\nint x;\n"),
        (".py", "# Parses the copyright field.\n"),
        (".py", '"""Documentation.\n\n:copyright: (c) 2011 by Ada.\n"""\n'),
        (".py", lines("#", "A long text.\n" * FIRST_LINES + APACHE)),
        (".c", "/* Copyright 2011, and never closed\nint x;\n"),
        (".c", "int x; // Copyright 2011 Ada\n"),
        ("", ""),
    ],
)
def test_everything_else_stays(ending: str, text: str) -> None:
    assert without_header(text, ending) == text


@pytest.mark.parametrize(
    ("ending", "preamble"),
    [
        (".py", "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n"),
        (".py", "#!/usr/bin/env python\n\n"),
        (".py", "# vim: set fileencoding=utf-8 :\n"),
        (".rb", "# frozen_string_literal: true\n\n"),
        (".php", "<?php\n"),
        (".xml", '<?xml version="1.0"?>\n'),
        (".html", "<!DOCTYPE html>\n"),
        (".c", "// -*- mode: c -*-\n"),
    ],
)
def test_what_stands_above_a_header_stays(ending: str, preamble: str) -> None:
    header = {".php": "/* (c) 2011 Ada */\n", ".c": lines("//")}.get(ending, lines("#"))
    if ending in (".xml", ".html"):
        header = f"<!-- {APACHE} -->\n"
    assert without_header(preamble + header + "\ncode\n", ending) == preamble + "code\n"
    assert without_header(preamble + "code\n", ending) == preamble + "code\n"


def test_a_batch() -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "id": ["github:a/b@c:x.py", "github:a/b@c:README.md", "github:a/b@c:Y.C"],
            "text": pa.array(["# Copyright 2011\nx", "# Copyright 2011\nx", "// (c) 2011\n"], pa.large_string()),
        }
    )
    cleaned = LicenseHeader().clean(batch)
    assert cleaned.text.to_pylist() == ["x", "# Copyright 2011\nx", ""]
    assert cleaned.text.type == pa.large_string()
    assert cleaned.reason.to_pylist() == [None, None, "empty"]


@given(st.lists(st.sampled_from(["#", "//", "/*", "*/", '"""', "\n", " ", "Copyright 2011", "#!", "x", "<!--", "-->"])))
def test_only_a_beginning_is_removed(tokens: list[str]) -> None:
    text = "".join(tokens)
    for ending in (".py", ".c", ".md", ""):
        cleaned = without_header(text, ending)
        removed = len(text) - len(cleaned)
        assert any(text[:i] + text[i + removed :] == cleaned for i in range(len(cleaned) + 1))
        assert without_header(cleaned, ending) == cleaned


def test_real_repositories(shared_data: Path) -> None:
    root = str(shared_data / "github")
    source = Github()
    records = [r for split in source.splits(list_files(root)) for r in source.read(root, split)]
    java = [
        r.text
        for r in records
        if isinstance(r, Document) and r.id.startswith("github:google/gson@") and r.id.endswith(".java")
    ]
    with_header = [text for text in java if text.startswith("/*\n * Copyright")]
    assert len(with_header) > 200
    for text in with_header:
        cleaned = without_header(text, ".java")
        assert cleaned.startswith(("package ", "/**", "@", "import ", "module ", "//"))
        assert cleaned == text[text.index("*/") + 2 :].lstrip()
    others = [(r.id, r.text) for r in records if isinstance(r, Document) and "google/gson" not in r.id]
    changed = [id for id, text in others if without_header(text, Path(id).suffix) != text]
    assert all("Copyright" in text[:1000] or "icense" in text[:1000] for id, text in others if id in changed)
    assert len(changed) < 5
