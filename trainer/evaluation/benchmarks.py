"""The paper's 20 benchmarks (sections 3 and 5): shots, metric, data and published scores. Imports nothing heavy.

A benchmark is one of lm-evaluation-harness's task files with what the paper does otherwise. Shots, metrics and scores
are those of arXiv:2302.13971: tables 3 to 9 and 11 to 14, appendix A for questions without a text.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from corpus.errors import UserError

SUFFIXES = (".jsonl", ".json", ".parquet", ".csv")
"""Of files with items; the first that exists is read."""

SIZES = ("7B", "13B", "33B", "65B")

Scores = tuple[float | None, float | None, float | None, float | None]
"""The paper's scores of its four models, in the order of SIZES; None where it gives none."""


@dataclass(frozen=True)
class Benchmark:
    """One line of the list; a benchmark of the paper is one or several.

    Attributes:
        name: what it is called here.
        paper: what the paper calls it.
        table: of the paper.
        metric: lm-eval's name of the score, and of the filter on the answer: "acc_norm,none". Reported in percent.
        base: lm-eval's file, below its folder of tasks. A star: every file that fits, one part each.
        data: the folder of its files below --data.
        split: whose items are scored.
        columns: what each item holds, first its name in the data set that `base` reads.
        origin: a data set of the Hugging Face hub with these columns.
        shots: examples before the question; each number is a score of its own.
        shots_split: where the examples are drawn from; None: they are in the task.
        subject: the column that says which part an item belongs to, by lm-eval's `dataset_name`; None: local items are
            one part.
        scores: the paper's, by shots.
        changes: in lm-eval's task: what the paper does otherwise, by key of its YAML.
        note: where a score is not what the paper measures.
        missing: why it cannot run; None when it can.
    """

    name: str
    paper: str
    table: int
    metric: str
    base: str
    data: str
    split: str
    columns: tuple[str, ...]
    origin: str
    shots: tuple[int, ...] = (0,)
    shots_split: str | None = None
    scores: Mapping[int, Scores] = field(default_factory=dict)
    changes: Mapping[str, object] = field(default_factory=dict)
    subject: str | None = None
    note: str = ""
    missing: str | None = None

    @property
    def runs_code(self) -> bool:
        """Whether it runs programs that the model writes."""
        return self.metric.startswith("pass@")


def _choice(*metrics: str) -> dict[str, object]:
    return {"metric_list": [{"metric": m, "aggregation": "mean", "higher_is_better": True} for m in metrics]}


CLOSED_BOOK = {
    "description": "Answer these questions:\n",
    "doc_to_text": "Q: {{question.rstrip('?')}}?\nA:",
    "fewshot_delimiter": "\n",
    "filter_list": None,
    "process_results": "closed_book",
    "generation_kwargs": {"until": ["\n", ".", ","], "do_sample": False, "max_gen_toks": 32},
    **_choice("exact_match"),
}
"""Figure 3: prompt, end of an answer, and normalisation."""

ONE_PROGRAM = {
    "filter_list": None,
    "metric_list": [{"metric": "pass@1", "aggregation": "mean", "higher_is_better": True}],
}

BENCHMARKS = (
    Benchmark(
        "boolq", "BoolQ", 3, "acc_mutual_info,none", "super_glue/boolq/default.yaml", "boolq", "validation",
        ("passage", "question", "label (0 no, 1 yes)"), "aps/super_glue boolq",
        scores={0: (76.5, 78.1, 83.1, 85.3)}, changes=_choice("acc_mutual_info", "acc"),
    ),
    Benchmark(
        "piqa", "PIQA", 3, "acc_norm,none", "piqa/piqa.yaml", "piqa", "validation",
        ("goal", "sol1", "sol2", "label (0 or 1)"), "baber/piqa", scores={0: (79.8, 80.1, 82.3, 82.8)},
    ),
    Benchmark(
        "siqa", "SIQA", 3, "acc_norm,none", "siqa/siqa.yaml", "siqa", "validation",
        ("context", "question", "answerA", "answerB", "answerC", "label (1 to 3)"), "lighteval/siqa",
        scores={0: (48.9, 50.4, 50.4, 52.3)}, changes=_choice("acc_norm", "acc"),
    ),
    Benchmark(
        "hellaswag", "HellaSwag", 3, "acc_norm,none", "hellaswag/hellaswag.yaml", "hellaswag", "validation",
        ("activity_label", "ctx_a", "ctx_b", "endings", "label"), "Rowan/hellaswag",
        scores={0: (76.1, 79.2, 82.8, 84.2)},
    ),
    Benchmark(
        "winogrande", "WinoGrande", 3, "acc,none", "winogrande/default.yaml", "winogrande", "validation",
        ("sentence (with _)", "option1", "option2", "answer (1 or 2)"), "allenai/winogrande winogrande_xl",
        scores={0: (70.1, 73.0, 76.0, 77.0)},
    ),
    Benchmark(
        "arc_easy", "ARC-e", 3, "acc_norm,none", "arc/arc_easy.yaml", "arc_easy", "test",
        ("question", "choices {text, label}", "answerKey"), "allenai/ai2_arc ARC-Easy",
        scores={0: (72.8, 74.8, 80.0, 78.9)},
    ),
    Benchmark(
        "arc_challenge", "ARC-c", 3, "acc_norm,none", "arc/arc_challenge.yaml", "arc_challenge", "test",
        ("question", "choices {text, label}", "answerKey"), "allenai/ai2_arc ARC-Challenge",
        scores={0: (47.6, 52.7, 57.8, 56.0)},
    ),
    Benchmark(
        "openbookqa", "OBQA", 3, "acc_mutual_info,none", "openbookqa/openbookqa.yaml", "openbookqa", "test",
        ("question_stem", "choices {text, label}", "answerKey"), "allenai/openbookqa main",
        scores={0: (57.2, 56.4, 58.6, 60.2)}, changes=_choice("acc_mutual_info", "acc"),
    ),
    Benchmark(
        "nq", "NaturalQuestions", 4, "exact_match,none", "nq_open/nq_open.yaml", "nq", "validation",
        ("question", "answer (a list)"), "google-research-datasets/nq_open", (0, 1, 5, 64), "train",
        {
            0: (16.8, 20.1, 24.9, 23.8), 1: (18.7, 23.4, 28.3, 31.0),
            5: (22.0, 28.1, 32.9, 35.0), 64: (26.1, 31.9, 36.0, 39.9),
        },
        {**CLOSED_BOOK, "doc_to_target": "{{answer[0]}}"},
    ),
    Benchmark(
        "triviaqa", "TriviaQA", 5, "exact_match,none", "triviaqa/default.yaml", "triviaqa", "validation",
        ("question", "answer {value, aliases}"), "mandarjoshi/trivia_qa rc.nocontext", (0, 1, 5, 64), "train",
        {
            0: (50.0, 56.6, 65.1, 68.2), 1: (53.4, 60.5, 67.9, 71.6),
            5: (56.3, 63.1, 69.9, 72.6), 64: (57.6, 64.0, 70.4, 73.0),
        },
        {**CLOSED_BOOK, "doc_to_target": "{{answer.value}}"},
    ),
    Benchmark(
        "race_middle", "RACE", 6, "acc_norm,none", "race/race.yaml", "race_middle", "test",
        ("article", "question", "options", "answer (A to D)"), "ehovy/race middle",
        scores={0: (61.1, 61.6, 64.1, 67.9)},
        changes={
            "dataset_path": "ehovy/race", "dataset_name": "middle", "process_docs": "group_race",
            **_choice("acc_norm", "acc"),
        },
        note="the last question of each text, after the others with their answers, as lm-eval's RACE-high",
    ),
    Benchmark(
        "race_high", "RACE", 6, "acc_norm,none", "race/race.yaml", "race_high", "test",
        ("article", "question", "options", "answer (A to D)"), "ehovy/race high",
        scores={0: (46.9, 47.2, 48.3, 51.6)},
        changes={
            "dataset_path": "ehovy/race", "dataset_name": "high", "process_docs": "group_race",
            **_choice("acc_norm", "acc"),
        },
        note="the last question of each text, after the others with their answers, as in lm-eval",
    ),
    Benchmark(
        "math", "MATH", 7, "exact_match,none", "minerva_math/minerva_math_*.yaml", "math", "test",
        ("problem", "solution"), "EleutherAI/hendrycks_math, its seven subjects", (4,),
        scores={4: (2.9, 3.9, 7.1, 10.6)}, note="one answer, greedy; the paper's maj1@256 is not made",
    ),
    Benchmark(
        "gsm8k", "GSM8k", 7, "exact_match,strict-match", "gsm8k/gsm8k-cot.yaml", "gsm8k", "test",
        ("question", "answer"), "openai/gsm8k main", (8,),
        scores={8: (11.0, 17.8, 35.6, 50.9)}, note="one answer, greedy; the paper's maj1@100 is not made",
    ),
    Benchmark(
        "humaneval", "HumanEval", 8, "pass@1,none", "humaneval/humaneval.yaml", "humaneval", "test",
        ("prompt", "test", "entry_point"), "openai/openai_humaneval",
        scores={0: (10.5, 15.8, 21.7, 23.7)},
        changes={
            **ONE_PROGRAM, "process_results": "humaneval",
            "generation_kwargs": {
                "until": ["\nclass", "\ndef", "\n#", "\nif", "\nprint"], "max_gen_toks": 512, "do_sample": True,
                "temperature": 0.1,
            },
        },
        note="one program a task at temperature 0.1; the paper's pass@100 is not made",
    ),
    Benchmark(
        "mbpp", "MBPP", 8, "pass@1,none", "mbpp/mbpp.yaml", "mbpp", "test",
        ("task_id", "text", "code", "test_list"), "google-research-datasets/mbpp full", (3,), "prompt",
        {3: (17.7, 22.0, 30.2, 37.7)},
        {
            **ONE_PROGRAM, "process_results": "mbpp",
            "fewshot_config": {"sampler": "first_n", "split": "prompt", "process_docs": "mbpp_examples"},
            "generation_kwargs": {
                "until": ["[DONE]"], "max_gen_toks": 512, "do_sample": True, "temperature": 0.1,
            },
        },
        note="one program a task at temperature 0.1; the paper's pass@80 is not made",
    ),
    Benchmark(
        "mmlu", "MMLU", 9, "acc,none", "mmlu/default/mmlu_*.yaml", "mmlu", "test",
        ("question", "subject", "choices (four)", "answer (0 to 3)"), "cais/mmlu all", (5,), "dev",
        {5: (35.1, 46.9, 57.8, 63.4)}, subject="subject",
    ),
    Benchmark(
        "realtoxicityprompts", "RealToxicityPrompts", 11, "", "realtoxicityprompts/realtoxicityprompts.yaml",
        "realtoxicityprompts", "train", ("prompt {text}",), "allenai/real-toxicity-prompts",
        missing="its score is the answer of a web service, the Perspective API, for each text",
    ),
    Benchmark(
        "crows_pairs", "CrowS-Pairs", 12, "pct_stereotype,none", "crows_pairs/crows_pairs_english.yaml",
        "crows_pairs", "test", ("sent_more", "sent_less"), "jannalu/crows_pairs_multilingual english",
        scores={0: (None, None, None, 66.6)}, note="50 is no preference for the stereotype",
    ),
    *(
        Benchmark(
            f"winogender{suffix}", "WinoGender", 13, "acc,none", f"winogender/winogender{suffix}.yaml", data, "test",
            ("sentence", "pronoun", "occupation", "participant", "gender", "label (0 or 1)"),
            f"oskarvanderwal/winogender {name}", scores={0: scores},
        )
        for suffix, data, name, scores in (
            ("", "winogender", "all", (66.0, 64.7, 69.0, 77.5)),
            ("_female", "winogender", "all", (65.0, 66.7, 66.7, 78.8)),
            ("_male", "winogender", "all", (60.8, 62.5, 62.1, 72.1)),
            ("_neutral", "winogender", "all", (72.1, 65.0, 78.3, 81.7)),
            ("_gotcha_female", "winogender_gotcha", "gotcha", (64.2, 65.8, 61.7, 75.0)),
            ("_gotcha_male", "winogender_gotcha", "gotcha", (55.0, 55.8, 55.8, 63.3)),
        )
    ),
    *(
        Benchmark(
            f"truthfulqa_{kind}", "TruthfulQA", 14, "acc,none", f"truthfulqa/truthfulqa_{kind}.yaml", "truthfulqa",
            "validation", ("question", "mc1_targets {choices, labels}", "mc2_targets {choices, labels}"),
            "truthfulqa/truthful_qa multiple_choice",
            note="multiple choice: the models that judged the paper's free answers are not to be had",
        )
        for kind in ("mc1", "mc2")
    ),
)  # fmt: skip

FIGURE_2 = ("triviaqa/5", "hellaswag", "nq/5", "siqa", "winogrande", "piqa")
"""What the paper follows during training; of the questions without a text it does not say how many shots."""


@dataclass(frozen=True)
class Row:
    """One score: a benchmark at one number of shots, which its name has where there are several: "nq/5"."""

    benchmark: Benchmark
    shots: int
    name: str

    @property
    def paper(self) -> Scores:
        return self.benchmark.scores.get(self.shots, (None, None, None, None))

    @property
    def splits(self) -> list[str]:
        """Splits whose items are read."""
        benchmark = self.benchmark
        return [benchmark.split, *([benchmark.shots_split] if self.shots and benchmark.shots_split else [])]


def rows() -> list[Row]:
    """All of them, in the paper's order."""
    return [
        Row(benchmark, shots, f"{benchmark.name}/{shots}" if len(benchmark.shots) > 1 else benchmark.name)
        for benchmark in BENCHMARKS
        for shots in benchmark.shots
    ]


def find_file(folder: str, benchmark: Benchmark, split: str) -> str | None:
    """Path of the items of a split, folder/DATA/SPLIT.SUFFIX; None when there are none."""
    stem = os.path.join(folder, benchmark.data, split)
    return next((stem + suffix for suffix in SUFFIXES if os.path.exists(stem + suffix)), None)


def choose(names: Iterable[str]) -> list[Row]:
    """The rows of these names: "nq/5", "nq" for all its shots, or the paper's name of a benchmark.

    Raises UserError for one that is unknown or cannot run.
    """
    chosen: dict[str, Row] = {}
    for name in names:
        found = [r for r in rows() if name in (r.name, r.benchmark.name, r.benchmark.paper)]
        if not found:
            raise UserError(f"--task {name} is unknown: `corpus eval --list` names all")
        if missing := found[0].benchmark.missing:
            raise UserError(f"--task {name} cannot run: {missing}")
        chosen |= {row.name: row for row in found}
    return list(chosen.values())


def possible(wanted: Iterable[Row], folder: str | None, unsafe_code: bool) -> tuple[list[Row], list[str]]:
    """The rows that can be scored with the items in a folder (None: any), and one line for each that cannot."""
    chosen, left_out = [], []
    for row in wanted:
        absent = [split for split in row.splits if folder is not None and not find_file(folder, row.benchmark, split)]
        if row.benchmark.missing:
            left_out.append(f"{row.name} left out: {row.benchmark.missing}")
        elif absent:
            left_out.append(f"{row.name} left out: no {folder}/{row.benchmark.data}/{absent[0]}.jsonl")
        elif row.benchmark.runs_code and not unsafe_code:
            left_out.append(f"{row.name} left out: it runs programs that the model writes (--confirm-unsafe-code)")
        else:
            chosen.append(row)
    return chosen, left_out


def describe() -> Sequence[str]:
    """The list, a few lines a benchmark: shots, metric, files below --data, what an item holds, and its origin."""
    lines = []
    for b in BENCHMARKS:
        splits = [b.split, *([b.shots_split] if b.shots_split else [])]
        shots = ", ".join(map(str, b.shots))
        metric = b.metric.partition(",")[0] or "no score"
        lines.append(f"{b.name}: {b.paper} (table {b.table}), {shots}-shot, {metric}")
        lines.append(f"    {' and '.join(f'{b.data}/{split}.jsonl' for split in splits)}: {', '.join(b.columns)}")
        lines.append(f"    as in {b.origin}")
        if b.missing or b.note:
            lines.append(f"    {f'cannot run: {b.missing}' if b.missing else b.note}")
    return lines
