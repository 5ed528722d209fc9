"""The texts written for this project, and the model trained on them."""

from pathlib import Path

import pytest

from corpus.demo.languages import LANGUAGES, articles, train_language_model


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_have_titles_and_enough_different_sentences(language: str) -> None:
    some = articles(language)
    sentences = [sentence for article in some for sentence in article.sentences]
    assert len(some) >= 15
    assert len(sentences) >= 120
    assert len(set(sentences)) == len(sentences)
    assert all(len(article.sentences) >= 5 and not article.title.startswith("#") for article in some)
    assert all(sentence == sentence.strip() and sentence[-1] in ".!?" for sentence in sentences)


def test_the_language_model_finds_the_language_of_unseen_sentences(tmp_path: Path) -> None:
    first, second = tmp_path / "first.bin", tmp_path / "second.bin"
    assert train_language_model(str(first)) > 0.95
    train_language_model(str(second))
    assert first.read_bytes() == second.read_bytes()
