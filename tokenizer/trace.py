"""From tokens back to their documents: of one position in a shard, or of all sequences of a training step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import sentencepiece

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.parts import read_row
from corpus.storage import exists, join, parent, read_json, relative, resolve, write_json
from tokenizer.index import HELD_OUT, MATERIALISED, read_index
from tokenizer.mixture import read_manifest
from tokenizer.model import read_model
from tokenizer.reader import Span, TokenReader, Trace
from tokenizer.remote import open_shard

_DOCUMENTS = "documents.json"
_AROUND = 16


@dataclass(frozen=True)
class Documents:
    """Where the documents of a token folder come from (`documents.json`).

    Attributes:
        folder: the token folder.
        model: path of the tokenizer model.
        step: folder of the step whose documents were tokenised; "" where the tokens were imported or are the sequences
            of a mixture.
        files: files they were imported from: part n is file n, row r its document r.
    """

    folder: str
    model: str
    step: str = ""
    files: tuple[str, ...] = ()

    @cached_property
    def processor(self) -> sentencepiece.SentencePieceProcessor:
        """Raises UserError: the model is gone."""
        if not exists(self.model):
            raise UserError(f"{self.model}, which {self.folder} was made with, is gone: bring it back to that path")
        return sentencepiece.SentencePieceProcessor(model_proto=read_model(self.model).data)

    def id_of(self, part: int, row: int) -> str:
        """The id of a document.

        Raises:
            UserError: the step is gone, or there was none.
        """
        if self.files:
            raise UserError(
                f"{self.folder} was imported, so only this is known: document {row} of {self.files[part]}; "
                "`corpus shards cat` prints what its tokens decode to"
            )
        if not exists(self.step):
            raise UserError(f"{self.step}, whose documents {self.folder} holds, is gone: run the recipe again")
        return str(read_row(StepFolder(self.step).data(part), row, ["id"])["id"][0].as_py())

    def name_of(self, part: int, row: int) -> str:
        """The id of a document, or what else is known of it: its place in an imported file, its part and row."""
        if self.files:
            return f"{self.files[part]} document {row}"
        place = f"part {part} row {row}"
        try:
            return self.id_of(part, row) if self.step else place
        except UserError:
            return place


def write_documents(folder: str, step: str, model: str) -> None:
    """Notes beside the shards which step was tokenised and with which model."""
    write_json(join(folder, _DOCUMENTS), {"step": relative(step, folder), "model": relative(model, folder)})


def write_imported(folder: str, files: Sequence[str], model: str) -> None:
    """Notes beside the shards which files they were imported from, and which model their ids are of."""
    paths = [relative(path, folder) for path in files]
    write_json(join(folder, _DOCUMENTS), {"files": paths, "model": relative(model, folder)})


def documents_of(shard: str) -> Documents:
    """The notes beside a shard, as `documents_in` its folder."""
    return documents_in(parent(shard))


def documents_in(folder: str) -> Documents:
    """The notes in a folder of shards; in a materialised one, only the model, as noted beside the mixture's sources.

    Raises:
        UserError: there are none.
    """
    if folder.rpartition("/")[2] == MATERIALISED:
        source = read_manifest(join(parent(folder), "manifest.json")).sources[0]
        return Documents(folder, documents_in(source.folder).model)
    if folder.rpartition("/")[2] == HELD_OUT:
        folder = parent(folder)
    path = join(folder, _DOCUMENTS)
    if not exists(path):
        raise UserError(f"{path} does not exist, so the documents of its shards are not known: give a shard beside it")
    notes = read_json(path)
    return Documents(
        folder,
        resolve(notes["model"], folder),
        resolve(notes["step"], folder) if "step" in notes else "",
        tuple(resolve(path, folder) for path in notes.get("files", ())),
    )


@dataclass(frozen=True)
class Found:
    """A token and where it comes from.

    Attributes:
        piece: the token as its model writes it.
        step: folder of the step whose documents were tokenised.
        id: of the document.
        part, row: of the document in that step.
        offset: of the token among the document's tokens, where a BOS counts.
        around: what the token and up to 16 on each side of it in the document decode to.
    """

    piece: str
    step: str
    id: str
    part: int
    row: int
    offset: int
    around: str


def locate(shard_path: str, position: int) -> Found:
    """The document of the token at `position` of a shard; of a materialised one, by way of the source's shard.

    Raises:
        UserError: no such position, or the documents are gone.
        DamagedFile: the shard is not whole.
    """
    shard = open_shard(shard_path)
    try:
        at = shard.locate(position)
    except IndexError as error:
        raise UserError(f"{error}: give a smaller position") from None
    folder = parent(shard_path)
    if folder.rpartition("/")[2] == MATERIALISED:
        before = sum(entry.documents for entry in read_index(folder).shards[: at.part])
        trace = TokenReader(join(parent(folder), "manifest.json")).trace(before + at.row)
        span = next(span for span in trace.spans if at.offset < span.stop)
        return locate(span.shard, span.position + at.offset - span.start)
    documents = documents_of(shard_path)
    first = max(position - at.offset, position - _AROUND)
    end = int(shard.document_offsets[at.document + 1])
    tokens = shard.read(first, min(end, position + _AROUND + 1)).tolist()
    piece = documents.processor.id_to_piece(tokens[position - first])
    around = documents.processor.decode(tokens)
    return Found(piece, documents.step, documents.id_of(at.part, at.row), at.part, at.row, at.offset, around)


def text_of(span: Span) -> str:
    """What the tokens of a span decode to.

    Raises:
        UserError: the model is gone.
        DamagedFile: the shard is not whole.
    """
    tokens = open_shard(span.shard).read(span.position, span.position + span.stop - span.start).tolist()
    return str(documents_of(span.shard).processor.decode(tokens))


@dataclass(frozen=True)
class TracedSequence:
    """One training sequence and its documents.

    Attributes:
        number: in the run.
        documents: one name for each span of `trace` (`Documents.name_of`).
    """

    number: int
    trace: Trace
    documents: tuple[str, ...]


def trace_sequences(manifest: str, fingerprint: str, first: int, count: int) -> Iterator[TracedSequence]:
    """The sequences `first` to `first` + `count` - 1 of a mixture, one after the other.

    Raises:
        UserError: the mixture is gone, has another fingerprint, or fewer sequences.
    """
    reader = TokenReader(manifest)
    if reader.fingerprint != fingerprint:
        raise UserError(f"{manifest} is mixture {reader.fingerprint}, not {fingerprint}: bring that one back")
    if first + count > reader.sequences:
        raise UserError(f"{manifest} has {reader.sequences} sequences, not {first + count}: give an earlier step")
    notes: dict[str, Documents] = {}
    for number in range(first, first + count):
        trace = reader.trace(number)
        names = []
        for span in trace.spans:
            documents = notes.get(span.shard) or notes.setdefault(span.shard, documents_of(span.shard))
            names.append(documents.name_of(span.part, span.row))
        yield TracedSequence(number, trace, tuple(names))
