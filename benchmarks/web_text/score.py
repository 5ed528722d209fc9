"""Main text beside trafilatura and Resiliparse: how much of it is right, and how fast.

    python -m benchmarks.web_text.pages FOLDER
    python -m benchmarks.web_text.score FOLDER [--all]

(From the root of the checkout, and with -m; `pip install .[trafilatura]`.) On pages that nothing was learned from, or
with `--all` on every page. F1, precision and recall count words, as `\\w+` finds them, as often as they stand in both
texts, page by page; the mean of pages is given. For pages of which only strings are known: the share of those to keep
that were kept, of those to drop that were dropped, and the F1 of these. Speed is that of one core's processor time
over all pages, decoded before.
"""

import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from benchmarks.web_text.labels import words
from benchmarks.web_text.pages import KnownPage, read_pages


class Scores:
    """By set, of each page: (F1, precision, recall), or how many strings were kept and leaked."""

    def __init__(self) -> None:
        self._of_texts: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
        self._of_strings: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, known: KnownPage, text: str) -> None:
        if known.text is not None:
            self._of_texts[known.set].append(overlap(text, known.text))
            return
        flat = _flat(text)
        kept, leaked = (sum(_flat(one) in flat for one in some) for some in (known.keep, known.drop))
        self._of_strings[known.set].update(
            kept=kept, leaked=leaked, keep=len(known.keep), drop=len(known.drop), pages=1
        )

    def __str__(self) -> str:
        lines = []
        for name, found in sorted(self._of_texts.items()):
            f1, precision, recall = (sum(column) / len(found) for column in zip(*found, strict=True))
            lines.append(f"{name} {f1:.3f} ({precision:.3f} {recall:.3f}) {len(found)}")
        for name, of in sorted(self._of_strings.items()):
            precision = of["kept"] / max(1, of["kept"] + of["leaked"])
            recall = of["kept"] / of["keep"]
            f1 = 2 * precision * recall / max(1e-9, precision + recall)
            lines.append(f"{name} {f1:.3f} (kept {recall:.3f}, leaked {of['leaked'] / of['drop']:.3f}) {of['pages']}")
        return "; ".join(lines)


def overlap(text: str, known: str) -> tuple[float, float, float]:
    """(F1, precision, recall) of words."""
    found, wanted = Counter(words(text)), Counter(words(known))
    both = (found & wanted).total()
    if not both:
        return (0.0, 0.0, 0.0)
    precision, recall = both / found.total(), both / wanted.total()
    return 2 * precision * recall / (precision + recall), precision, recall


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _systems() -> dict[str, Callable[[str], str]]:
    import trafilatura
    from resiliparse.extract.html2text import extract_plain_text

    from corpus.text.web.extractors import main_text

    def of_resiliparse(html: str) -> str:
        return extract_plain_text(html, preserve_formatting=True, main_content=True, alt_texts=False)

    return {
        "ours": main_text,
        "ours, Markdown": lambda html: main_text(html, form="markdown"),
        "trafilatura": lambda html: trafilatura.extract(html, include_comments=False) or "",
        "resiliparse": of_resiliparse,
    }


def main(folder: Path, of_all: bool) -> None:
    pages = [known for known in read_pages(folder) if of_all or known.is_held_out]
    texts = [known.html.decode() for known in pages]
    megabytes = sum(len(known.html) for known in pages) / 1e6
    for name, extract in _systems().items():
        extract(texts[0])  # compiled, imported
        scores, begun = Scores(), time.process_time()
        found = [extract(html) for html in texts]
        seconds = time.process_time() - begun
        for known, text in zip(pages, found, strict=True):
            scores.add(known, text)
        print(f"{name}: {megabytes / seconds:.1f} MB/s; {scores}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m benchmarks.web_text.score FOLDER [--all]")
    main(Path(sys.argv[1]), "--all" in sys.argv)
