import json
import pickle
from pathlib import Path

import fasttext.FastText
import pyarrow as pa
import pytest

from corpus.errors import UserError
from corpus.filters.reference import Reference, train_reference


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})


@pytest.fixture(scope="module")
def pages(shared_data: Path) -> tuple[list[str], list[str]]:
    """Pieces of Wikipedia, and as many of Common Crawl pages: stand-ins for references and random pages."""
    folder = shared_data / "c4" / "LLaMA-Factory"
    crawl = [json.loads(line)["text"] for line in (folder / "c4_demo.jsonl").open(encoding="utf-8")]
    wiki, random = pieces((folder / "wiki_demo.txt").read_text(encoding="utf-8")), pieces("\n".join(crawl))
    count = min(len(wiki), len(random))
    return wiki[:count], random[:count]


def pieces(text: str) -> list[str]:
    return [text[start : start + 200] for start in range(0, len(text), 200)]


@pytest.fixture(scope="module")
def model(pages: tuple[list[str], list[str]], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("reference") / "wiki.bin")
    positives, negatives = pages
    assert train_reference(positives, negatives, path) > 0.8
    return path


def test_scores_are_the_probability_of_the_label(model: str, pages: tuple[list[str], list[str]]) -> None:
    texts = [pages[0][0] + "\n" + pages[0][1], pages[1][0], ""]
    scores = Reference(model=model).score(batch(*texts)).column("reference").to_pylist()
    loaded = fasttext.FastText._FastText(model_path=model)
    for text, score in zip(texts, scores, strict=True):
        # RedPajama-v1 asks for one label and takes 1 - p when it is the other one
        [(probability, label)] = loaded.f.predict(text.replace("\n", " ") + "\n", 1, 0.0, "strict")
        expected = probability if label == "__label__wiki" else 1 - probability
        assert score == pytest.approx(expected, abs=2e-4)
        assert score == round(score, 4)


def test_the_other_label_gives_the_other_probability(model: str, pages: tuple[list[str], list[str]]) -> None:
    texts = batch(*pages[1][:20])
    wiki = Reference(model=model, label="wiki").score(texts).column("reference").to_numpy()
    crawl = Reference(model=model, label="__label__cc").score(texts).column("reference").to_numpy()
    assert wiki + crawl == pytest.approx(1, abs=3e-4)
    assert wiki.mean() < 0.5


def test_decide() -> None:
    scores = pa.RecordBatch.from_pydict({"reference": [0.0, 0.2499, 0.25, 1.0]})
    assert Reference(model="m").decide(scores).to_pylist() == ["not_reference", "not_reference", None, None]


def test_no_documents(model: str) -> None:
    rule = Reference(model=model)
    assert rule.decide(rule.score(batch())).to_pylist() == []
    assert pickle.loads(pickle.dumps(rule)) == rule


def test_an_unknown_label_is_a_user_error(model: str) -> None:
    with pytest.raises(UserError, match="does not know the label good: known are"):
        Reference(model=model, label="good").score(batch("text"))
