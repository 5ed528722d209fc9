"""What an order of rules costs. Every order is allowed; a known cost is said, in one line."""

from collections.abc import Iterator, Sequence

from corpus.recipe.load import Recipe
from corpus.steps.rule import NamedRule


def order_notes(recipe: Recipe) -> list[str]:
    """A line for each known cost of the order of a recipe's rules."""
    notes = [note for entry in recipe.sources for note in _notes(entry.name, entry.steps, recipe.across)]
    return notes + list(_notes("across", recipe.across, ()))


def _notes(name: str, rules: Sequence[NamedRule], later: Sequence[NamedRule]) -> Iterator[str]:
    for place, named in enumerate(rules):
        after = [*rules[place + 1 :], *later]
        if named.keeps_one_copy and (dropping := [rule.key for rule in after if not rule.keeps_one_copy]):
            yield (
                f"{name}: {named.key} keeps one of several copies, and {_listed(dropping)} after it may drop that one: "
                "then none is left"
            )
        if named.is_filter and (cleaners := [rule.key for rule in after if rule.is_cleaner or _removes_lines(rule)]):
            yield (
                f"{name}: the stored scores of {named.key} are of the text before {_listed(cleaners)}: "
                f"the finished text may score otherwise"
            )


def _removes_lines(named: NamedRule) -> bool:
    return named.is_dedup and not named.keeps_one_copy


def _listed(keys: Sequence[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{', '.join(keys[:-1])} and {keys[-1]}"
