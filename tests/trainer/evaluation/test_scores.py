"""`corpus eval` on made-up items, offline: what lm-eval is asked, and what comes of its answers."""

import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from benchmark_items import ITEMS, write_items
from sentencepiece import SentencePieceProcessor
from typer.testing import CliRunner

from corpus.cli import app
from corpus.errors import DamagedFile, UserError
from tests.processes import await_end
from trainer.convert import export
from trainer.convert.open import open_weights
from trainer.convert.weights import load_model
from trainer.evaluation.benchmarks import Row, choose, possible, rows
from trainer.evaluation.scores import Score, evaluate, summarise
from trainer.evaluation.tasks import build, closed_book, group_race, humaneval, mbpp, normalise, passes
from trainer.generate import encode, generate
from trainer.model import Llama

RUNNABLE = [row for row in rows() if not row.benchmark.missing]


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("benchmarks")
    write_items(folder)
    return str(folder)


@pytest.fixture(scope="module")
def exported(run: Path, tokenizer: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    output = tmp_path_factory.mktemp("exported") / "hf"
    export.export(str(run), str(output), "huggingface", "float32", tokenizer)
    return str(output)


def row(name: str) -> Row:
    return choose([name])[0]


def score(model: str, names: list[str], items: Path) -> dict[str, Score]:
    given = evaluate(model, choose(names), data=str(items), limit=None, device="cpu", unsafe_code=False, tokenizer=None)
    return dict(given)


def asked(name: str, items: str) -> list[tuple[Any, ...]]:
    """What the first task of a row asks a model."""
    task = build(row(name), items, 2048)[0]
    task.build_all_requests()
    return [instance.args for instance in task.instances]


def test_the_list_is_the_papers() -> None:
    assert len({r.benchmark.paper for r in rows()}) == 20
    assert [r.name for r in rows() if r.benchmark.missing] == ["realtoxicityprompts"]
    assert len({r.name for r in rows()}) == len(rows())
    for of in rows():
        assert of.benchmark.missing or of.benchmark.paper == "TruthfulQA" or len(of.paper) == 4


@pytest.mark.parametrize("name", [r.name for r in RUNNABLE])
def test_every_task_reads_its_items_and_asks_for_each(name: str, items: str) -> None:
    tasks = build(row(name), items, 2048)
    for task in tasks:
        task.build_all_requests()
        assert {instance.doc_id for instance in task.instances} == set(range(len(task.eval_docs)))
        assert row(name).benchmark.metric.partition(",")[0] in task.aggregation()
    assert len(tasks) == (2 if name == "mmlu" else 1)


def test_shots_stand_before_the_question_as_in_the_papers_figure_3(items: str) -> None:
    for name, shots in (("nq", 5), ("triviaqa", 64)):
        prompt, generation = asked(f"{name}/{shots}", items)[0]
        head, *lines = prompt.split("\n")
        assert head == "Answer these questions:"
        assert [line[:2] for line in lines] == ["Q:", "A:"] * (shots + 1)
        assert [line == "A:" for line in lines[1::2]] == [False] * shots + [True]
        assert generation["until"] == ["\n", ".", ","]
        assert generation["do_sample"] is False
    for name, mark, shots in (
        ("math", "Problem:", 4),
        ("gsm8k", "Q:", 8),
        ("mmlu", "Answer:", 5),
        ("mbpp", "[BEGIN]", 3),
    ):
        assert asked(name, items)[0][0].count(mark) == shots + 1, name
    assert "adds 2" in asked("mbpp", items)[0][0]  # Austin et al. show tasks 2, 3 and 4
    assert "adds 1." not in asked("mbpp", items)[0][0]
    assert "dev 0 of anatomy" in asked("mmlu", items)[0][0]


def test_two_benchmarks_are_normalised_by_the_answer_without_a_question(items: str) -> None:
    for name, count in (("boolq", 2), ("openbookqa", 4)):
        requests = asked(name, items)
        assert [context for context, _ in requests[count : 2 * count]] == ["Answer:"] * count
        assert [c for _, c in requests[:count]] == [c for _, c in requests[count : 2 * count]]


def test_race_middle_has_the_questions_before_with_their_answers(items: str) -> None:
    requests = asked("race_middle", items)
    text = (
        "Article: Text 1. Mia has a red hat and Tom has 1 dogs.\n\nQuestion: What has Mia?\nAnswer: hat\nTom has dogs\n"
    )
    assert requests[0] == (f"{text}Who has a hat?", " Tom")
    assert len(requests) == 8  # two texts, four answers
    task = build(row("race_middle"), items, 2048)[0]
    assert [task.doc_to_target(doc) for doc in task.eval_docs] == [2, 2]
    assert list(group_race(task.eval_docs)) == list(task.eval_docs)  # what is in that form already


def test_only_the_named_columns_are_read(tmp_path: Path) -> None:
    """The original file of CrowS-Pairs has a column without a name, which lm-eval would take for the empty context."""
    (tmp_path / "crows_pairs").mkdir()
    (tmp_path / "crows_pairs" / "test.csv").write_text(",sent_more,sent_less,bias_type\n0,They lie.,We lie.,age\n")
    assert asked("crows_pairs", str(tmp_path)) == [("", "They lie."), ("", "We lie.")]


def test_answers_are_compared_as_appendix_a_says() -> None:
    assert normalise(" The  U.S.A., an  island") == "usa island"
    assert closed_book({"answer": ["The Beatles"]}, ["beatles!"]) == {"exact_match": 1}
    assert closed_book({"answer": {"value": "Turkey", "aliases": ["Türkiye"]}}, ["türkiye"]) == {"exact_match": 1}
    assert closed_book({"answer": ["Turkey"]}, ["in Turkey"]) == {"exact_match": 0}


def test_programs_are_judged_by_how_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert passes("assert 1 + 1 == 2")
    assert not passes("assert 1 + 1 == 3")
    monkeypatch.setattr("trainer.evaluation.tasks.SECONDS", 0.5)
    assert not passes("while True: pass")
    item = ITEMS["humaneval"]["test"][0]
    task = {"humaneval": "    return a + b\n", "wrong": "    return a - b\n"}
    monkeypatch.setattr("trainer.evaluation.tasks.SECONDS", 10)
    assert [humaneval(item, [body])["pass@1"] for body in task.values()] == [1, 0]
    item = ITEMS["mbpp"]["test"][0]
    assert [mbpp(item, [f"def f(x):\n    return x + {n}"])["pass@1"] for n in (item["task_id"], 0)] == [1, 0]


STARTS_ANOTHER = """
import subprocess
other = subprocess.Popen(["sleep", "600"])
open({mark!r}, "w").write(str(other.pid))
while {forever}: pass
"""


@pytest.mark.parametrize("forever", [False, True])
def test_nothing_that_a_program_started_outlives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forever: bool
) -> None:
    monkeypatch.setattr("trainer.evaluation.tasks.SECONDS", 5)
    mark = tmp_path / "mark"
    assert passes(STARTS_ANOTHER.format(mark=str(mark), forever=forever)) is not forever
    await_end(int(mark.read_text()))


def test_a_program_does_not_outlive_the_one_who_judges_it(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    program = STARTS_ANOTHER.format(mark=str(mark), forever=True)
    script = f"from trainer.evaluation import tasks; tasks.SECONDS = 600; tasks.passes({program!r})"
    judge = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[3])
    try:
        while not (mark.exists() and mark.read_text()):
            time.sleep(0.05)
        started = psutil.Process(judge.pid).children(recursive=True)
    finally:
        judge.kill()
        judge.wait()
    assert len(started) == 2
    await_end(*(process.pid for process in started))


def log_likelihood(model: Llama, ids: Sequence[int], count: int) -> float:
    """Of the last `count` tokens, of as many as the window holds."""
    kept = torch.tensor(list(ids)[-model.seq_len - 1 :])
    logits = model(kept[None, :-1])[0].float().log_softmax(-1)
    return float(logits[torch.arange(len(kept) - 1), kept[1:]][-count:].sum())


def test_scores_are_those_of_our_own_model(exported: str, tmp_path: Path) -> None:
    """Multiple choice by characters and by "Answer:", done anew with the trainer's model and SentencePiece."""
    words = ["red", "the dog", "lazy", "quick brown", "and then some", "été", "jumps", "3.14 times"]
    arc = [
        {
            "question": f"over {a}?", "answerKey": "AB"[n % 2],
            "choices": {"text": [a, words[(n + 3) % 8]], "label": ["A", "B"]},
        }
        for n, a in enumerate(words)
    ]  # fmt: skip
    boolq = [{"passage": f"so {a}", "question": f"is {a}", "label": n % 2} for n, a in enumerate(words)]
    for name, split, of in (("arc_easy", "test", arc), ("boolq", "validation", boolq)):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{split}.jsonl").write_text("".join(json.dumps(item) + "\n" for item in of))
    found = score(exported, ["arc_easy", "boolq"], tmp_path)
    weights = open_weights(exported)
    model = load_model(weights, "cpu", torch.float32)
    processor = SentencePieceProcessor(model_file=str(weights.tokenizer_file))

    def of(context: str, answer: str) -> float:
        whole = encode(processor, f"{context} {answer}")
        return log_likelihood(model, whole, len(whole) - len(encode(processor, context)))

    right = [
        max(range(2), key=lambda k, i=item: of(f"Question: {i['question']}\nAnswer:", i["choices"]["text"][k])  # type: ignore[misc]
            / len(i["choices"]["text"][k])) == "AB".index(item["answerKey"])
        for item in arc
    ]  # fmt: skip
    assert 0 < sum(right) < len(arc)
    assert found["arc_easy"]["score"] == 100 * sum(right) / len(arc)
    answers = ("no", "yes")
    right = [
        max(range(2), key=lambda k, i=item: of(f"{i['passage']}\nQuestion: {i['question']}?\nAnswer:", answers[k])  # type: ignore[misc]
            - of("Answer:", answers[k])) == item["label"]
        for item in boolq
    ]  # fmt: skip
    assert found["boolq"]["score"] == 100 * sum(right) / len(boolq)
    assert found["boolq"]["items"] == 8
    p = sum(right) / 8
    assert found["boolq"]["stderr"] == pytest.approx(100 * math.sqrt(p * (1 - p) / 7))


def test_generated_answers_are_ours(exported: str, tmp_path: Path) -> None:
    """The answer the model gives by greedy decoding counts as right, any other as wrong."""
    weights = open_weights(exported)
    model = load_model(weights, "cpu", torch.float32)
    processor = SentencePieceProcessor(model_file=str(weights.tokenizer_file))
    prompt = encode(processor, "Answer these questions:\nQ: dog?\nA:")[-32:]
    new = list(generate(model, prompt, max_tokens=32, temperature=0, eos=processor.eos_id()))
    new = [token for token in new if token != processor.unk_id()]  # which transformers leaves out
    answer = processor.decode(prompt + new)[len(processor.decode(prompt)) :]
    for end in ("\n", ".", ","):
        answer = answer.partition(end)[0]
    items = [{"question": "dog", "answer": ["none of it"]}, {"question": "dog", "answer": ["x", answer]}]
    (tmp_path / "nq").mkdir()
    (tmp_path / "nq" / "validation.json").write_text(json.dumps(items))
    found = score(exported, ["nq/0"], tmp_path)
    assert normalise(answer)
    assert found["nq/0"]["score"] == 50


def test_what_the_window_cannot_hold_is_left_out(
    exported: str, items: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "crows_pairs").mkdir()
    long = "the quick brown fox jumps over the lazy dog " * 10
    (tmp_path / "crows_pairs" / "test.csv").write_text(f"sent_more,sent_less\n{long},no\n")
    (tmp_path / "boolq").symlink_to(Path(items) / "boolq")
    assert list(score(exported, ["crows_pairs", "boolq"], tmp_path)) == ["boolq"]
    assert "crows_pairs left out: an answer is longer than the window, 64" in capsys.readouterr().err


def test_scores_of_parts_are_weighted_with_their_items() -> None:
    result = {
        "results": {
            "a": {"acc,none": 0.5, "acc_stderr,none": 0.1, "alias": "a"},
            "b": {"acc,none": 1.0, "acc_stderr,none": 0.0, "alias": "b"},
        },
        "n-samples": {"a": {"effective": 30}, "b": {"effective": 10}},
    }
    found = summarise(row("mmlu"), result)
    assert (found["score"], found["items"], found["shots"]) == (62.5, 40, 5)
    assert found["stderr"] == pytest.approx(7.5)


def test_the_command_scores_a_checkpoint_and_prints_the_papers_numbers(
    run: Path, tokenizer: str, items: str, tmp_path: Path
) -> None:
    output = tmp_path / "scores.json"
    given = ["--data", items, "--tokenizer", tokenizer, "--device", "cpu", "--output", str(output)]
    done = CliRunner().invoke(app, ["eval", str(run), "--task", "BoolQ", "--task", "winogender", *given])
    assert done.exception is None, done.output
    line = next(line.split() for line in done.output.splitlines() if "boolq" in line)
    assert line[-4:] == ["76.5", "78.1", "83.1", "85.3"]
    scores = json.loads(output.read_text())["scores"]
    assert list(scores) == ["boolq", "winogender"]
    assert f"{scores['boolq']['score']:.1f}" in line


def test_what_cannot_be_scored_is_said(exported: str, items: str, tmp_path: Path) -> None:
    def fails(*words: str) -> str:
        done = CliRunner().invoke(app, ["eval", *words, "--device", "cpu"])
        assert isinstance(done.exception, UserError)
        return str(done.exception)

    assert "boolq/validation.jsonl does not exist" in fails(exported, "--data", str(tmp_path), "--task", "boolq")
    assert "nothing to score" in fails(exported, "--data", str(tmp_path))
    assert "--confirm-unsafe-code" in fails(exported, "--data", items, "--task", "humaneval")
    assert "--task bolq is unknown" in fails(exported, "--data", items, "--task", "bolq")
    assert "Perspective API" in fails(exported, "--data", items, "--task", "realtoxicityprompts")
    assert "name a model" in fails()
    (tmp_path / "boolq").mkdir()
    (tmp_path / "boolq" / "validation.jsonl").write_text('{"question": "is it"}\n')
    with pytest.raises(DamagedFile, match="item 1 lacks passage, label"):
        build(row("boolq"), str(tmp_path), 64)
    (tmp_path / "boolq" / "validation.jsonl").write_text("{")
    with pytest.raises(DamagedFile, match=r"validation\.jsonl"):
        build(row("boolq"), str(tmp_path), 64)


def test_without_names_what_there_is_data_for(items: str, tmp_path: Path) -> None:
    chosen, left_out = possible(rows(), items, unsafe_code=False)
    assert {r.name for r in rows()} - {r.name for r in chosen} == {"humaneval", "mbpp", "realtoxicityprompts"}
    assert len(left_out) == 3
    (tmp_path / "nq").mkdir()
    (tmp_path / "nq" / "validation.csv").write_text("")
    assert [r.name for r in possible(rows(), str(tmp_path), unsafe_code=True)[0]] == ["nq/0"]


def test_the_list_names_every_benchmark() -> None:
    done = CliRunner().invoke(app, ["eval", "--list"])
    assert done.exit_code == 0
    for of in rows():
        assert f"{of.benchmark.name}: {of.benchmark.paper} (table {of.benchmark.table})" in done.output
        assert f"{of.benchmark.data}/{of.benchmark.split}.jsonl" in done.output
