"""Short texts in six languages, written for this project, and a language model trained on them."""

from importlib import resources
from typing import NamedTuple

from corpus.filters.fasttext_train import train_classifier

LANGUAGES = ("de", "en", "es", "fr", "it", "nl")


class Article(NamedTuple):
    """A title and sentences."""

    title: str
    sentences: tuple[str, ...]


def articles(language: str) -> list[Article]:
    """The articles of texts/<language>.txt, where a title begins with "# " and every other line is a sentence."""
    text = (resources.files("corpus.demo") / "texts" / f"{language}.txt").read_text(encoding="utf-8")
    blocks = [block.strip().split("\n") for block in text.split("# ")[1:]]
    return [Article(title, tuple(sentences)) for title, *sentences in blocks]


def train_language_model(output: str) -> float:
    """Trains a fastText model of the six languages on a part of the sentences; its accuracy on the others.

    Character n-grams of 2 to 4 as in lid.176 (https://fasttext.cc/docs/en/language-identification.html), few buckets
    and dimensions: there are hundreds of sentences, not millions.

    Raises:
        UserError: as `train_classifier`.
    """
    pairs = [
        (language, sentence)
        for language in LANGUAGES
        for article in articles(language)
        for sentence in article.sentences
    ]
    return train_classifier(pairs, output, dim=16, minn=2, maxn=4, epoch=50, lr=0.5, bucket=50_000, holdout=0.3)
