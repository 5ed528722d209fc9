from pathlib import Path

from corpus.recipe.load import source_entry
from corpus.recipe.sections import TokenizerSection
from tests.pipelines.stages.alone import done, extracted, tokens_of
from tests.tokenizer.conftest import trained


def test_a_removed_shard_is_made_again(six_texts: Path, tmp_path: Path) -> None:
    documents = extracted(source_entry("c4", str(six_texts), "{}"), tmp_path / "extracted")
    model = tmp_path / "tokenizer.model"
    model.write_bytes(trained())

    def tokenize() -> tuple[str, bool]:
        stage = tokens_of(documents, "c4", str(model), TokenizerSection(held_out=2), tmp_path / "tokens")
        did = done(stage, tmp_path / "work")
        return stage.folder, did

    output, did = tokenize()
    assert did
    assert tokenize() == (output, False)
    for name in ("shard-00000.tok", "heldout/shard-00000.tok"):
        content = Path(output, name).read_bytes()
        Path(output, name).unlink()
        assert tokenize() == (output, True)
        assert Path(output, name).read_bytes() == content
