"""A trained model: into other layouts, out of them, and text from it."""

from typing import Annotated, Any

import typer

from corpus.cli.options import trainer

Tokenizer = Annotated[
    str | None,
    typer.Option(help="the SentencePiece model it was trained with; not needed where tokenizer.model lies beside it"),
]

COMPARED_WHOLE = 1_000_000_000
"""Parameters up to which the logits of all layers are compared: in float32 twice, 8 GB."""


def export_model(
    model: Annotated[str, typer.Argument(help="a checkpoint, or a run's output folder: then its newest")],
    output: Annotated[str, typer.Argument(help="a new folder")],
    format: Annotated[str, typer.Option(help="huggingface, or meta: the layout of the release")] = "huggingface",
    tokenizer: Tokenizer = None,
    dtype: Annotated[str, typer.Option(help="of the weights: bfloat16 or float32")] = "bfloat16",
) -> None:
    """Write a model's weights as a folder that other programs read.

    Example: `corpus export model runs/llama/model llama-hf --tokenizer tokenizer.model`
    """
    weights, written = trainer("convert.export").export(model, output, format, dtype, tokenizer)
    print(
        f"{output}: {weights.parameters:,} parameters of {weights.folder} in {dtype}; read back, equal bit for bit to"
        " what was to be written"
    )
    if format == "huggingface":
        print(_compare_logits(weights, written, dtype))


def import_(
    input: Annotated[str, typer.Argument(help="a Hugging Face folder, or one of Meta's (consolidated.*.pth)")],
    output: Annotated[str, typer.Argument(help="output folder of the run that will go on from these weights")],
) -> None:
    """Write a model from outside as the checkpoint a run begins with.

    Example: `corpus import LLaMA/7B runs/llama/more`
    """
    weights = trainer("convert.export").import_weights(input, output)
    shape = weights.settings.model_dump(exclude={"size"})
    named = shape == trainer("config").SIZES[weights.settings.size]
    train_with = {"size": weights.settings.size} if named else shape
    print(
        f"{weights.folder}: {weights.parameters:,} parameters, read back and equal; train with"
        f" {' '.join(f'model.{name}={value}' for name, value in train_with.items())}"
    )


def generate(
    model: Annotated[str, typer.Argument(help="a checkpoint, a run's output folder, or an exported model")],
    prompt: Annotated[str, typer.Argument(help="the text to go on from")],
    tokenizer: Tokenizer = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="it also ends at a document's end and at the window's")] = 256,
    temperature: Annotated[float, typer.Option(min=0, help="0: always the likeliest token")] = 0.8,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="draw from the likeliest with this probability")] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="of the draws")] = 0,
    device: Annotated[
        str, typer.Option(help="cpu (float32) or cuda (bfloat16); auto: a GPU where there is one")
    ] = "auto",
) -> None:
    """Print the text that a model goes on with.

    Example: `corpus generate runs/llama/model "Simply put, the theory" --tokenizer tokenizer.model`
    """
    for piece in trainer("generate").continue_text(
        model, prompt, tokenizer=tokenizer, max_tokens=max_tokens, temperature=temperature, top_p=top_p, seed=seed,
        device=device,
    ):  # fmt: skip
        print(piece, end="", flush=True)
    print()


def _compare_logits(weights: Any, written: Any, dtype: str) -> str:
    """How far transformers' logits of an exported folder are from ours of the source, both computed in float32.

    Large models are cut after two layers: every kind of matrix is in them, and every tensor was compared before.
    Raises DamagedFile when they are not equal up to rounding.
    """
    from importlib import import_module

    import torch

    from corpus.errors import DamagedFile
    from trainer.convert.weights import load_model

    try:
        transformers = import_module("transformers")
    except ModuleNotFoundError:
        return "logits not compared: transformers is not installed"
    layers = weights.settings.layers if weights.parameters <= COMPARED_WHOLE else 2
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # it would list the layers that are left out
    transformers.logging.disable_progress_bar()
    try:
        config = transformers.AutoConfig.from_pretrained(written.folder, num_hidden_layers=layers)
        theirs = transformers.LlamaForCausalLM.from_pretrained(written.folder, config=config).float()
    finally:
        transformers.logging.set_verbosity(before)
    ours = load_model(weights, "cpu", getattr(torch, dtype), layers).float()
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(weights.vocab_size, (1, min(64, weights.seq_len)), generator=generator)
    with torch.no_grad():
        expected = ours(tokens)
        difference = float((expected - theirs(tokens).logits).abs().max())
    largest = float(expected.abs().max())
    line = (
        f"logits of transformers {transformers.__version__} over {tokens.numel()} tokens, {layers} of"
        f" {weights.settings.layers} layers: largest difference {difference:.1e}, of logits up to {largest:.1f}"
    )
    if not difference <= 1e-3 * largest:
        raise DamagedFile(f"{written.folder}: does not compute what {weights.folder} does: {line}; please report this")
    return line
