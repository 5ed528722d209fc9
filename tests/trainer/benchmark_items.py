"""A handful of made-up items for each of the paper's benchmarks, in the columns that `corpus eval --list` names."""

import json
from pathlib import Path
from typing import Any

Item = dict[str, Any]


def _labelled(texts: list[str]) -> dict[str, list[str]]:
    return {"text": texts, "label": list("ABCD")[: len(texts)]}


def _race(number: int) -> list[Item]:
    article = f"Text {number}. Mia has a red hat and Tom has {number} dogs."
    return [
        {"article": article, "question": "What has Mia?", "options": ["hat", "cat", "bat", "mat"], "answer": "A"},
        {"article": article, "question": "Tom has  _  .", "options": ["a car", "dogs", "a hat", "tea"], "answer": "B"},
        {"article": article, "question": "Who has a hat?", "options": ["Tom", "Ann", "Mia", "Bob"], "answer": "C"},
    ]


def _winogender(pronoun: str, gender: str) -> list[Item]:
    return [
        {
            "sentence": f"The nurse told the patient that {pronoun} shift would end.", "pronoun": pronoun,
            "occupation": "nurse", "participant": "patient", "gender": gender, "label": label,
        }
        for label in (0, 1)
    ]  # fmt: skip


WINOGENDER = [item for p, g in (("her", "female"), ("his", "male"), ("their", "neutral")) for item in _winogender(p, g)]
ARC = [
    {"question": f"What is {n} and {n}?", "choices": _labelled([str(2 * n), "seven", "0"]), "answerKey": "A"}
    for n in range(3)
]
NQ = [{"question": f"who was number {n}", "answer": [f"The {n}th", f"mr {n}"]} for n in range(70)]
TRIVIA = [
    {"question": f"What is the capital of land {n}?", "answer": {"value": f"Town {n}", "aliases": [f"town {n}", "T"]}}
    for n in range(70)
]
SUBJECTS = ("anatomy", "world_religions")
MBPP = [
    {
        "task_id": n, "text": f"Write a function that adds {n}.", "code": f"def f(x):\n    return x + {n}",
        "test_list": [f"assert f({x}) == {x + n}" for x in range(3)],
    }
    for n in range(1, 8)
]  # fmt: skip

ITEMS: dict[str, dict[str, list[Item]]] = {
    "boolq": {"validation": [
        {"passage": "Cats purr.", "question": "do cats purr", "label": 1},
        {"passage": "Dogs bark.", "question": "do dogs purr", "label": 0},
    ]},
    "piqa": {"validation": [{"goal": "open a jar", "sol1": "turn the lid", "sol2": "eat the lid", "label": 0}]},
    "siqa": {"validation": [{
        "context": "Ann fell.", "question": "How does Ann feel?", "answerA": "hurt", "answerB": "rich",
        "answerC": "tall", "label": "1",
    }]},
    "hellaswag": {"validation": [{
        "activity_label": "Cooking", "ctx_a": "A man cuts an onion.", "ctx_b": "he",
        "endings": ["cries.", "flies away [title].", "sings.", "reads."], "label": "0",
    }]},
    "winogrande": {"validation": [
        {"sentence": "The cup broke because _ fell.", "option1": "it", "option2": "the moon", "answer": "1"},
    ]},
    "arc_easy": {"test": ARC},
    "arc_challenge": {"test": ARC},
    "openbookqa": {"test": [
        {"question_stem": "The sun is", "choices": _labelled(["hot", "cold", "wet", "small"]), "answerKey": "A"},
    ]},
    "nq": {"train": NQ, "validation": NQ[:2]},
    "triviaqa": {"train": TRIVIA, "validation": TRIVIA[:2]},
    "race_middle": {"test": _race(1) + _race(2)},
    "race_high": {"test": _race(3)},
    "math": {"test": [
        {"problem": "What is $1+1$?", "solution": "It is $\\boxed{2}$.", "type": "Algebra"},
        {"problem": "Half of 1?", "solution": "So $\\boxed{\\frac{1}{2}}$.", "type": "Prealgebra"},
    ]},
    "gsm8k": {"test": [{"question": "I have 2 eggs and buy 3. How many?", "answer": "2 + 3 = 5\n#### 5"}]},
    "humaneval": {"test": [{
        "prompt": "def add(a, b):\n", "test": "def check(f):\n    assert f(2, 3) == 5\n", "entry_point": "add",
    }]},
    "mbpp": {"test": MBPP[5:], "prompt": MBPP},
    "mmlu": {
        split: [
            {"question": f"{split} {n} of {subject}?", "subject": subject, "choices": list("wxyz"), "answer": n % 4}
            for subject in SUBJECTS
            for n in range(count)
        ]
        for split, count in (("test", 2), ("dev", 5))
    },
    "crows_pairs": {"test": [{"sent_more": "They are bad at it.", "sent_less": "We are bad at it."}]},
    "winogender": {"test": WINOGENDER},
    "winogender_gotcha": {"test": WINOGENDER},
    "truthfulqa": {"validation": [{
        "question": "Do pigs fly?", "mc1_targets": {"choices": ["No.", "Yes."], "labels": [1, 0]},
        "mc2_targets": {"choices": ["No.", "They do not.", "Yes."], "labels": [1, 1, 0]},
    }]},
}  # fmt: skip


def write_items(folder: Path) -> None:
    """Writes all of them as folder/NAME/SPLIT.jsonl."""
    for name, splits in ITEMS.items():
        (folder / name).mkdir(parents=True)
        for split, items in splits.items():
            lines = "".join(json.dumps(item) + "\n" for item in items)
            (folder / name / f"{split}.jsonl").write_text(lines, encoding="utf-8")
