from corpus.errors import DamagedFile, UserError, UserErrors, known


def test_all_names_are_told_and_the_most_similar_first() -> None:
    names = ["code", "language", "length", "lines", "perplexity"]
    told = known("lenght", names)
    assert told.startswith("known are length, ")
    assert sorted(told.removeprefix("known are ").split(", ")) == names
    assert known("LINES", names).startswith("known are lines, ")
    assert known("x", iter(names)).startswith("known are ")
    assert known("x", []) == "there is none"


def test_names_that_are_not_similar_are_sorted() -> None:
    names = ["overlap", "gutenberg", "gopher_repetition", "exact", "gopher_quality", "near", "length"]
    rest = "exact, gutenberg, length, near, overlap"
    assert known("gopher", names) == f"known are gopher_quality, gopher_repetition, {rest}"
    assert known("nosuch", names) == f"known are {', '.join(sorted(names))}"


def test_several_mistakes_are_a_line_each() -> None:
    error = UserErrors(iter(["a: one", "b: two"]))
    assert str(error) == "a: one\nb: two"
    assert isinstance(error, UserError)
    assert issubclass(DamagedFile, UserError)
