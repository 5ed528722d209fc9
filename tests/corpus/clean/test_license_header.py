from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.comment_signs import _table
from corpus.clean.license_header import FIRST_LINES, LicenseHeader, without_header
from corpus.schema import Document
from corpus.sources.github import EXTENSIONS, Github
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
        (".cs", f"#region License\n{lines('//')}\n#endregion\n"),
        (".cs", f"#region Copyright (c) 2011 Ada\r\n{lines('//')}#endregion\r\n"),
        (".c", "/* tide.c - Copyright 2011 Ada */\n"),
        (".rs", "// Licensed to Ada\n// under agreements.\n"),
        (".rs", "// Licensed under the MIT license.\n// This file may not be copied except by\n// those terms.\n"),
        (".py", "# SPDX-License-Identifier: MIT\n# SPDX-FileCopyrightText: 2021 Ada\n"),
        (".bat", "@REM Licensed under the MIT license.\n@REM\n"),
        (".py", "# This program is free software, under the terms of the GNU General Public\n# License.\n"),
        (".js", "/**\n * @license MIT\n */\n"),
        (".js", "/**\n * @license\n * Copyright Ada.\n *\n * Use is governed by an MIT-style license.\n */\n"),
        (".c", "".join(f"/* {line} */\n" for line in APACHE.split("\n") if line)),
        (".c", "/********/\n" + "".join(f"/* {line:70} */\n" for line in APACHE.split("\n")) + "/********/\n"),
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
        (".h", "#ifndef X_H\n#define X_H\n"),
        (".h", "#pragma once\n"),
        (".bat", "@echo off\n"),
        (".js", "'use strict';\n"),
        (".hs", "{-# LANGUAGE GADTs #-}\n"),
        (".go", "//go:build linux\n\n"),
        (".py", "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n"),
        (".py", "#!/usr/bin/env python\n\n"),
        (".py", "# vim: set fileencoding=utf-8 :\n"),
        (".rb", "# frozen_string_literal: true\n\n"),
        (".php", "<?php\n"),
        (".xml", '<?xml version="1.0"?>\n'),
        (".html", "<!DOCTYPE html>\n"),
        (".c", "// -*- mode: c -*-\n"),
        (".c", "/* tide.c - computes tides */\n"),
        (".c", "/* tide.c */\n\n"),
        (".js", "/* eslint-disable */\n"),
        (".js", "/* tslint:disable */\n\n"),
        (".js", "/* eslint-disable no-undef, no-var */\n'use strict';\n"),
        (".js", "// @flow\n"),
        (".js", "// eslint-disable-next-line\n"),
        (".java", "package tide.tables;\n\n"),
    ],
)
def test_what_stands_above_a_header_stays(ending: str, preamble: str) -> None:
    signs = {".c": "//", ".h": "//", ".js": "//", ".go": "//", ".java": "//", ".hs": "--", ".bat": "rem"}
    header = "/* (c) 2011 Ada */\n" if ending == ".php" else lines(signs.get(ending, "#"))
    if ending in (".xml", ".html"):
        header = f"<!-- {APACHE} -->\n"
    assert without_header(preamble + header + "\ncode\n", ending) == preamble + "code\n"
    assert without_header(preamble + "code\n", ending) == preamble + "code\n"


BLOCKS = {
    "/*": (".c .h .cpp .java .kt .scala .groovy .gradle .go .js .ts .tsx .scss .less .proto .glsl .sv .cs .swift .dart "
           ".rs .d .m .mm .v .css .php .tf .nix .sql .asm .s", "*/"),
    "(*": (".ml .mli .fs .pas .v", "*)"),
    "{-": (".hs .lhs", "-}"),
    "{": (".pas", "}"),
    "#=": (".jl", "=#"),
    "#|": (".lisp .scm .rkt", "|#"),
    "#[": (".nim", "]#"),
    "<#": (".ps1 .psm1 .psd1", "#>"),
    "###": (".coffee", "###"),
    "/+": (".d", "+/"),
    "--[[": (".lua", "]]"),
    "--[==[": (".lua", "]==]"),
    "#[[": (".cmake CMakeLists.txt", "]]"),
    "=begin": (".rb", "=end"),
    "%{": (".m", "%}"),
    "<!--": (".html .md .markdown .vue .xml", "-->"),
    '"""': (".py .pyi .pyx", '"""'),
}  # fmt: skip
LINES = {
    "//": ".c .h .cc .java .kt .scala .go .rs .zig .js .ts .swift .dart .cs .fs .d .m .v .php .proto .asm Jenkinsfile",
    "#": (".zsh .fish .awk .tcl .py .pyi .pyx .bzl .rb .pl .pm .r .jl .nim .coffee .ex .exs .cmake .mk .am .php "
          ".sh .bash .nix .tf .graphql .ps1 .sql .smali Makefile Dockerfile Rakefile Gemfile BUILD SConstruct "
          "CMakeLists.txt"),
    "--": ".sql .lua .hs .ada .adb .ads .vhd .vhdl",
    ";": ".el .lisp .scm .rkt .clj .ll .asm .s",
    "%": ".tex .erl .hrl .m",
    "!": ".f90 .f95 .f03 .f08 .f .for .f77",
    "C": ".f .for .f77",
    "'": ".vb",
    '"': ".vim",
    "REM": ".bat .cmd .vb",
    "::": ".bat .cmd",
    "      *": ".cob",
    "*>": ".cob",
}  # fmt: skip


def test_every_ending_has_its_signs() -> None:
    tested = {name for names, _ in BLOCKS.values() for name in names.split()}
    tested |= {name for names in LINES.values() for name in names.split()}
    assert {name for name in EXTENSIONS if name not in _table()} == set()
    with_comments = {name for name in EXTENSIONS if _table()[name] != ((), ())}
    same = {
        ".cxx",
        ".c++",
        ".hh",
        ".hpp",
        ".hxx",
        ".h++",
        ".cu",
        ".cuh",
        ".kts",
        ".mjs",
        ".cjs",
        ".jsx",
        ".less",
        ".pod",
        ".phpt",
    }
    assert with_comments - tested - same == {".rst"}


@pytest.mark.parametrize(
    ("name", "header"),
    [
        *((name, f"{sign}\n{APACHE}\n{end}\n") for sign, (names, end) in BLOCKS.items() for name in names.split()),
        *((name, lines(sign)) for sign, names in LINES.items() for name in names.split()),
        (".rst", ".. Copyright 2011 Ada Lovelace\n   Licensed under the MIT license\n"),
        (".m", lines("%")),
        (".d", lines("//")),
    ],
)
def test_headers_in_every_language(name: str, header: str) -> None:
    code = "\ncode\n"
    assert without_header(header + code, name).strip() == "code"
    assert without_header(header.replace("\n", "\r\n") + code, name).strip() == "code"


@pytest.mark.parametrize(
    ("name", "text", "left"),
    [
        (
            ".py",
            "# Copyright (C) 2009 A Holder\n#\n# This module computes the tide.\n# See the manual.\nimport os\n",
            "# This module computes the tide.\n# See the manual.\nimport os\n",
        ),
        (".py", "# Copyright 2009 A Holder\n# Computes the tide.\nx\n", "# Computes the tide.\nx\n"),
        (
            ".py",
            f'"""{APACHE}\n\nThis module computes the tide.\n"""\nx\n',
            '"""\nThis module computes the tide.\n"""\nx\n',
        ),
        (
            ".go",
            "// Copyright 2020 The Authors.\n//\n// Package tide computes the tide.\npackage tide\n",
            "// Package tide computes the tide.\npackage tide\n",
        ),
        (
            ".c",
            f"/*\n * tide.c - computes the tide\n *\n{lines(' *')} *\n * It knows the moon.\n */\nint x;\n",
            "/*\n * tide.c - computes the tide\n *\n * It knows the moon.\n */\nint x;\n",
        ),
        (".c", "/* Copyright 2011 Ada\n * The tide.\n */\nx\n", "/*\n * The tide.\n */\nx\n"),
        (
            ".el",
            ";;; tide.el --- tables\n;; Copyright (C) 2020 A\n;;; Commentary:\n;; It reads tables.\n;;; Code:\n(x)\n",
            ";;; tide.el --- tables\n;;; Commentary:\n;; It reads tables.\n;;; Code:\n(x)\n",
        ),
        (
            ".rs",
            "// Copyright 2020 A.\n// SPDX-License-Identifier: MIT\n//! The tide.\n\nfn x() {}\n",
            "//! The tide.\n\nfn x() {}\n",
        ),
        (
            ".js",
            "// Copyright 2011 Ada,\n// Charles and\n// others.\n// The tide.\nx\n",
            "// The tide.\nx\n",
        ),
        (".ps1", f"<#\n.SYNOPSIS\nTide.\n\n{APACHE}\n#>\nx\n", "<#\n.SYNOPSIS\nTide.\n#>\nx\n"),
        (
            ".sh",
            "#!/bin/sh\n# Copyright 2020 ACME\n# Licensed under the MIT license\n# Usage: tide [-v] FILE\n"
            "# Prints the heights of the tide.\nset -e\n",
            "#!/bin/sh\n# Usage: tide [-v] FILE\n# Prints the heights of the tide.\nset -e\n",
        ),
        (
            ".py",
            "# Copyright 2020 ACME\n# Licensed under the MIT license.\n# TODO: handle leap years\nx\n",
            "# TODO: handle leap years\nx\n",
        ),
        (
            ".js",
            f"/*\n{APACHE}\n*/\n\n/**\n * Computes the tide from the moon.\n * @license MIT\n */\nclass X {{}}\n",
            "/**\n * Computes the tide from the moon.\n */\nclass X {}\n",
        ),
        (".js", "/** Copyright 2011 Ada\n * @license MIT\n * The tide.\n */\nx\n", "/**\n * The tide.\n */\nx\n"),
        (".js", "/*!\n * @license MIT\n * The tide.\n */\nx\n", "/*!\n * The tide.\n */\nx\n"),
        (
            ".c",
            "/* SPDX-License-Identifier: MIT */\n/* tide.c - tables */\n\n/* Written by Ada */\nx\n",
            "/* tide.c - tables */\n\n/* Written by Ada */\nx\n",
        ),
        (".c", "/* Copyright 2011 Ada */\n/* Computes the tide. */\nx\n", "/* Computes the tide. */\nx\n"),
    ],
)
def test_documentation_joined_to_a_header_stays(name: str, text: str, left: str) -> None:
    assert without_header(text, name) == left
    assert without_header(left, name) == left


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".rs", "//! Tide. Licensed under MIT or Apache-2.0.\n//!\n//! It computes the tide.\n"),
        (".rs", "/// Copyright 2011 Ada: a constant.\nconst X: u8 = 1;\n"),
        (".rs", "/*! The tide.\nCopyright 2011 Ada */\n"),
        (".cs", "/// <summary>Copyright 2011 Ada</summary>\n"),
        (".cs", "#region License\n// Copyright 2011 Ada\nvar x = 1;\n#endregion\n"),
        (".cs", "#region Tides\n// Copyright 2011 Ada\n#endregion\n"),
        (".c", "/* tide.c - computes tides */\nint x;\n"),
        (".r", "#' Copyright 2011 Ada\nx <- 1\n"),
        (".hs", "-- | Copyright 2011 Ada\nx = 1\n"),
        (".hs", "{-| Copyright 2011 Ada -}\n"),
        (".pas", "{$IFDEF Copyright 2011}\n"),
        (".f", "      CALL COPY(2011)\n"),
        (".rst", ".. image:: copyright-2011.png\n"),
        (".s", "#define NOTICE Copyright 2011 Ada\n"),
    ],
)
def test_what_only_looks_like_a_header_stays(name: str, text: str) -> None:
    assert without_header(text, name) == text


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


TOKENS = [
    "#",
    "//",
    "/*",
    "*/",
    '"""',
    "\n",
    " ",
    "Copyright 2011",
    "#!",
    "x",
    "<!--",
    "-->",
    "Licensed under the MIT license",
]


@given(
    st.lists(st.sampled_from(TOKENS)), st.sampled_from([".py", ".c", ".md", ".rs", ".hs", ".lua", ".pas", ".vb", ""])
)
def test_only_lines_of_the_beginning_are_removed(tokens: list[str], name: str) -> None:
    text = "".join(tokens)
    cleaned = without_header(text, name)
    rest = iter(text)
    assert all(character in rest for character in cleaned.replace("\n", "")), "letters come from the text, in order"
    assert without_header(cleaned, name) == cleaned


def test_long_comments_take_linear_time() -> None:
    for unit in (
        "# Copyright 2011 Ada\n",
        "#\n",
        "/* Copyright 2011\n",
        "# x\n\n",
        "#!",
        "// (c)",
        "/* Copyright 2011 */\n",
        "# Licensed under the MIT license.\n# Usage:\n",
        "/*/",
        "/* tide.c */\n",
        "#region License\n",
        '"""Copyright 2011',
        "{-#",
    ):
        for name in (".py", ".c", ".cs", ".hs", ""):
            without_header(unit * 50_000, name)


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
