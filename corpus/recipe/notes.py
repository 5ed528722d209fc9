"""What is worth saying of a recipe before it is run: what the order of its rules costs, and which rules are slow. Every
order is allowed."""

from collections.abc import Iterator, Sequence

from corpus.per_document import is_per_document
from corpus.recipe.load import Recipe
from corpus.steps.rule import NamedRule


def recipe_notes(recipe: Recipe) -> list[str]:
    """A line for each known cost of a recipe's rules."""
    notes = [note for entry in recipe.sources for note in _notes(entry.name, entry.steps, recipe.across)]
    return notes + list(_notes("across", recipe.across, ()))


def _notes(name: str, rules: Sequence[NamedRule], later: Sequence[NamedRule]) -> Iterator[str]:
    for place, named in enumerate(rules):
        after = [*rules[place + 1 :], *later]
        if named.keeps_one_copy and (
            dropping := [rule.key for rule in after if rule.drops and not rule.keeps_one_copy]
        ):
            yield (
                f"{name}: {named.key} keeps one of several copies, and {_listed(dropping)} after it may drop that one: "
                "then none is left"
            )
    chain = [*rules, *later]
    rewriting = [place for place, rule in enumerate(chain) if rule.is_cleaner or _cuts(rule)]
    scored = [rule.key for place, rule in enumerate(rules) if rule.is_filter and rewriting and place < rewriting[-1]]
    if scored:
        first = min(place for place, rule in enumerate(rules) if rule.is_filter)
        behind = [chain[place].key for place in rewriting if place > first]
        yield (
            f"{name}: stored scores of {_listed(scored)} are of the text as it was then, before {_listed(behind)}: the "
            "finished text may score otherwise"
        )
    if slow := [rule.key for rule in rules if is_per_document(type(rule.rule))]:
        yield f"{name}: {_listed(slow)}: Python functions of one document, slow beside rules that take whole batches"


def _cuts(named: NamedRule) -> bool:
    return named.is_dedup and named.dedup.rewrites


def _listed(keys: Sequence[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{', '.join(keys[:-1])} and {keys[-1]}"
