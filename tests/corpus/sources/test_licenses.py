import tarfile
from pathlib import Path

import pytest

from corpus.sources.licenses import is_license_file, license_of, repository_licenses

MIT = """The MIT License (MIT)

Copyright (c) 2011 Ada Lovelace <ada@example.org>
Copyright © 2012 and others

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NON-INFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
BSD = """Copyright (c) 2011, Ada Lovelace
All rights reserved.

Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:

 * Redistributions of source code must retain the above copyright notice, this list of conditions and the following
   disclaimer.
 * Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the
   following disclaimer in the documentation and/or other materials provided with the distribution.
%s
THIS SOFTWARE IS PROVIDED BY ADA LOVELACE ''AS IS'' AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED
TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL
ADA LOVELACE BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING,
BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS
INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING
NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH
DAMAGE.
"""
NAMES = """ * Neither the name of Ada Lovelace nor the names of its contributors may be used to endorse or promote
   products derived from this software without specific prior written permission.
"""
ADVERTISING = """ * All advertising materials mentioning features or use of this software must display the following
   acknowledgement: This product includes software developed by Ada Lovelace.
"""
BSD2, BSD3 = BSD.replace("%s", ""), BSD.replace("%s", NAMES)


@pytest.fixture
def apache(shared_data: Path) -> str:
    with tarfile.open(shared_data / "github" / "google__gson.tar.gz") as archive:
        file = archive.extractfile("gson/LICENSE")
        assert file is not None
        return file.read().decode()


def test_licences() -> None:
    assert license_of(MIT) == "MIT"
    assert license_of(BSD2) == "BSD-2-Clause"
    assert license_of(BSD3) == "BSD-3-Clause"


def test_layout_and_holders_do_not_matter() -> None:
    commented = "\n".join(f"# {line}" for line in MIT.splitlines())
    assert license_of(commented) == "MIT"
    assert license_of(MIT.replace("The MIT License (MIT)\n\n", "").upper()) == "MIT"
    assert license_of(
        "BSD 3-Clause License\n\n" + BSD3.replace("ADA LOVELACE", "THE COPYRIGHT HOLDERS AND CONTRIBUTORS")
    ) == ("BSD-3-Clause")


def test_further_or_other_terms() -> None:
    good_not_evil = "The Software shall be used for Good, not Evil.\n\nTHE SOFTWARE IS"
    assert license_of(MIT.replace("THE SOFTWARE IS", good_not_evil, 1)) is None
    assert license_of("You may not sell it. " * 12 + MIT) is None
    assert license_of(MIT + "You may not sell it. " * 12) is None
    assert license_of(BSD.replace("%s", ADVERTISING)) is None
    assert license_of(BSD.replace("%s", ADVERTISING + NAMES)) is None
    assert license_of(MIT + BSD3) is None
    assert license_of(MIT[: len(MIT) // 2]) is None
    assert license_of("MIT") is None
    assert license_of("") is None


def test_apache(apache: str) -> None:
    assert license_of(apache) == "Apache-2.0"
    without_appendix = apache[: apache.index("APPENDIX")]
    assert license_of(without_appendix) == "Apache-2.0"
    notice = apache[apache.index("   Copyright [yyyy]") :]
    assert license_of(without_appendix + notice.replace("[yyyy] [name of copyright owner]", "2011 Ada")) == "Apache-2.0"
    assert license_of(notice) is None
    assert license_of(apache.replace("8. Limitation of Liability", "8. Limits")) is None
    assert license_of(apache.replace("9. Accepting", "You may not sell it. " * 5 + "9. Accepting")) is None
    assert license_of(apache + "You may not sell it. " * 12) is None
    assert license_of(without_appendix + "You may not sell it. " * 12) is None
    assert license_of("You may not sell it. " * 12 + apache) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, True) for name in ("LICENSE", "License.txt", "LICENCE.md", "COPYING", "COPYING.LESSER", "UNLICENSE")),
        *(
            (name, True)
            for name in ("LICENSE-MIT", "LICENSE-APACHE", "LICENSE_1_0.txt", "MIT-LICENSE.txt", "LICENSE.GPL")
        ),
        *(
            (name, False)
            for name in ("license.go", "LicenseTest.java", "NOTICE", "README.md", "licenses.json", "LICENSES")
        ),
    ],
)
def test_names_of_licence_files(name: str, expected: bool) -> None:
    assert is_license_file(name) is expected


def test_repositories() -> None:
    assert repository_licenses({"LICENSE": MIT.encode()}) == (["MIT"], "")
    assert repository_licenses({"LICENSE-MIT": MIT.encode(), "COPYING": BSD3.encode()}) == (["BSD-3-Clause", "MIT"], "")
    assert repository_licenses({}) == ([], "no licence file")
    for other in (b"GNU GENERAL PUBLIC LICENSE", None):
        licenses, why = repository_licenses({"LICENSE": MIT.encode(), "LICENSE-GPL": other})
        assert licenses == []
        assert why.startswith("LICENSE-GPL is none of")
