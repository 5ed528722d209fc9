"""A SentencePiece BPE model as the files that Hugging Face `tokenizers` and `transformers` read.

`LlamaTokenizer` of transformers builds its own from tokenizer.model, and differs from SentencePiece where a text
begins with a space (it puts none before it) and where it holds "<s>" (it reads a BOS). These files give
SentencePiece's ids for both, in transformers from 4.42 on; 4.40 and 4.41 read "<s>" in a text as BOS whatever the files
say.
"""

import json
from collections.abc import Sequence
from typing import Any

from corpus.errors import UserError
from corpus.storage import commit, join, open_read
from tokenizer.model import SPACE, ModelFile, PieceType, irregular_reason, read_model


def write_tokenizer(model_path: str, folder: str) -> None:
    """Writes tokenizer.model, tokenizer.json, tokenizer_config.json and special_tokens_map.json into a folder.

    As the released LLaMA tokenizer, it puts BOS before a text (where the model has one) and no EOS behind. Padding is
    on the left, with the unknown piece, which no text holds where the model has byte fallback: padding with EOS hides
    from a fine-tuned model where to stop.

    Raises:
        UserError: the model cannot be read, or these files cannot say what it does.
        DamagedFile: it is not a whole SentencePiece model.
    """
    model = read_model(model_path)
    if reason := irregular_reason(model):
        raise UserError(f"{model_path} has no exact form as tokenizer.json: {reason}; use tokenizer.model itself")
    special = {
        f"{name}_token": model.pieces[piece]
        for name, piece in (("bos", model.bos_id), ("eos", model.eos_id), ("unk", model.unk_id))
        if piece >= 0
    }
    if model.byte_fallback:
        special["pad_token"] = special["unk_token"]
    config = {
        **special,
        "add_bos_token": model.bos_id >= 0,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "padding_side": "left",
        "split_special_tokens": True,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    commit(join(folder, "tokenizer.model"), lambda sink: sink.write(model.data))
    _write(join(folder, "tokenizer.json"), _tokenizer(model))
    _write(join(folder, "tokenizer_config.json"), config)
    _write(join(folder, "special_tokens_map.json"), special)


def different_texts(folder: str, texts: Sequence[str]) -> list[str]:
    """The texts that the folder's tokenizer.json does not encode, or does not decode, as its tokenizer.model does.

    Needs `tokenizers`. Texts with an unknown character are decoded differently by design (SentencePiece writes " ⁇ ",
    `tokenizers` the unknown piece), so their decoding is not compared.
    """
    import sentencepiece
    from tokenizers import Tokenizer

    processor = sentencepiece.SentencePieceProcessor(model_proto=read_model(join(folder, "tokenizer.model")).data)
    with open_read(join(folder, "tokenizer.json")) as file:
        tokenizer = Tokenizer.from_buffer(file.read())
    expected = processor.encode(list(texts), num_threads=1)
    found = [encoding.ids for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
    known = [processor.unk_id() not in ids for ids in expected]
    back = processor.decode(expected), tokenizer.decode_batch(found, skip_special_tokens=False)
    return [
        text
        for text, a, b, comparable, was, now in zip(texts, expected, found, known, *back, strict=True)
        if a != b or (comparable and was != now)
    ]


def _write(path: str, body: dict[str, Any]) -> None:
    data = json.dumps(body, ensure_ascii=False, indent=2).encode() + b"\n"
    commit(path, lambda sink: sink.write(data))


def _tokenizer(model: ModelFile) -> dict[str, Any]:
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    prefix = [{"type": "Prepend", "prepend": SPACE}] if model.add_dummy_prefix else []
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if model.add_dummy_prefix else []
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        # Special pieces listed here would be read from the text; the post-processor knows them by id.
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": [*prefix, spaces]},
        "pre_tokenizer": None,
        "post_processor": _post_processor(model),
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
                *([{"type": "ByteFallback"}] if model.byte_fallback else []),
                {"type": "Fuse"},
                *strip,
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": model.pieces[model.unk_id],
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": model.byte_fallback,
            "ignore_merges": False,
            "vocab": {piece: i for i, piece in enumerate(model.pieces)},
            # Pairs, as newer versions write them, are not read before tokenizers 0.20 (transformers 4.45).
            "merges": [f"{left} {right}" for left, right in _merges(model)],
        },
    }


def _merges(model: ModelFile) -> list[tuple[str, str]]:
    """Every pair of pieces that joins to a piece, the highest score of the whole first.

    To SentencePiece all ways to cut a piece are equal, and the leftmost in the text wins; `tokenizers` has a rank for
    each. Models of made-up pieces and scores show no text where that matters (tests/tokenizer/test_fuzz.py).
    """
    score = {
        piece: score
        for piece, score, kind in zip(model.pieces, model.scores, model.types, strict=True)
        if kind is PieceType.NORMAL
    }
    return [
        (piece[:cut], piece[cut:])
        for piece in sorted(score, key=lambda piece: -score[piece])
        for cut in range(len(piece) - 1, 0, -1)
        if piece[:cut] in score and piece[cut:] in score
    ]


def _post_processor(model: ModelFile) -> dict[str, Any] | None:
    if model.bos_id < 0:
        return None
    bos = model.pieces[model.bos_id]

    def framed(sequence: str, kind: int) -> list[dict[str, Any]]:
        return [
            {"SpecialToken": {"id": bos, "type_id": kind}},
            {"Sequence": {"id": sequence, "type_id": kind}},
        ]

    return {
        "type": "TemplateProcessing",
        "single": framed("A", 0),
        "pair": framed("A", 0) + framed("B", 1),
        "special_tokens": {bos: {"id": bos, "ids": [model.bos_id], "tokens": [bos]}},
    }
