"""How the 20 languages write numbers and dates, from the Unicode CLDR (as Babel 2.18 gives it)."""

import re
from functools import cache
from typing import NamedTuple

NO_BREAK = "\u00a0"

_MONTHS = """
bg януари февруари март април май юни юли август септември октомври ноември декември
ca gener febrer març abril maig juny juliol agost setembre octubre novembre desembre
cs ledna února března dubna května června července srpna září října listopadu prosince
da januar februar marts april maj juni juli august september oktober november december
de Januar Februar März April Mai Juni Juli August September Oktober November Dezember
en January February March April May June July August September October November December
es enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
fr janvier février mars avril mai juin juillet août septembre octobre novembre décembre
hr siječnja veljače ožujka travnja svibnja lipnja srpnja kolovoza rujna listopada studenoga prosinca
hu január február március április május június július augusztus szeptember október november december
it gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
nl januari februari maart april mei juni juli augustus september oktober november december
pl stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia
pt janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
ro ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie
ru января февраля марта апреля мая июня июля августа сентября октября ноября декабря
sl januar februar marec april maj junij julij avgust september oktober november december
sr јануар фебруар март април мај јун јул август септембар октобар новембар децембар
sv januari februari mars april maj juni juli augusti september oktober november december
uk січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня
"""


class _Style(NamedTuple):
    """How a language writes dates and numbers.

    Attributes:
        date: day, month and year. `month` and `day`: without the day, and without the year.
        group, point: the separators of thousands and of decimals.
        least: digits from which on a number is grouped.
    """

    date: str = "{d} {m} {y}"
    month: str = "{m} {y}"
    day: str = "{d} {m}"
    group: str = NO_BREAK
    point: str = ","
    least: int = 4


_STYLES = {
    "en": _Style("{m} {d}, {y}", day="{m} {d}", group=",", point="."),
    "bg": _Style(least=5),
    "ca": _Style("{d} {of}{m} de {y}", "{m} de {y}", "{d} {of}{m}", "."),
    "cs": _Style("{d}. {m} {y}", day="{d}. {m}"),
    "da": _Style("{d}. {m} {y}", day="{d}. {m}", group="."),
    "de": _Style("{d}. {m} {y}", day="{d}. {m}", group="."),
    "es": _Style("{d} de {m} de {y}", "{m} de {y}", "{d} de {m}", least=5),
    "hr": _Style("{d}. {m} {y}.", "{m} {y}.", "{d}. {m}", "."),
    "hu": _Style("{y}. {m} {d}.", "{y}. {m}", "{m} {d}.", least=5),
    "it": _Style(group=".", least=5),
    "nl": _Style(group="."),
    "pl": _Style(least=5),
    "pt": _Style("{d} de {m} de {y}", "{m} de {y}", "{d} de {m}", least=5),
    "ro": _Style(group="."),
    "ru": _Style(least=5),
    "sl": _Style("{d}. {m} {y}", day="{d}. {m}", group="."),
    "sr": _Style("{d}. {m} {y}.", "{m} {y}.", "{d}. {m}", "."),
    "uk": _Style(least=5),
}
_OTHER = _Style()
_ENGLISH_LIKE = ("simple", "ja", "zh", "ko", "th", "he")  # "," between thousands and "." before decimals

_NUMBER = re.compile(r"([-+\u2212]?)(\d{1,30})(?:\.(\d{1,30}))?")
_POWER = re.compile(r"([-+]?\d{1,3}(?:\.\d{1,15})?)[eE]\+?(\d{1,2})")
_GROUPED = re.compile(r"([-+\u2212]?)(\d{1,3}(?:,\d{3})+)(\.\d+)?")
_ISO_DATE = re.compile(r"(\d{3,4})-(\d\d?)(?:-(\d\d?))?")


def _style(language: str) -> _Style:
    return _STYLES["en"] if language in _ENGLISH_LIKE else _STYLES.get(language, _OTHER)


@cache
def months(language: str) -> tuple[str, ...]:
    """January to December in the form that stands in a date; those of English for a language without any here."""
    named = dict(line.split(" ", 1) for line in _MONTHS.strip().split("\n"))
    return tuple(named.get(language, named["en"]).split(" "))


def number(text: str, language: str, exact: bool = False) -> str:
    """A number written with "." before the decimals, as the language writes it; anything else as it is.

    Args:
        exact: "." is before decimals whatever follows. Otherwise "1.234" is left where the language separates thousands
            so, since nobody can tell which of the two was meant, and four digits are left, since they may be a year.
    """
    text = text.strip()
    style = _style(language)
    if language in ("en", "simple") and (grouped := _GROUPED.fullmatch(text)):
        text = grouped[1] + grouped[2].replace(",", "") + (grouped[3] or "")
    if power := _POWER.fullmatch(text):
        text = f"{float(power[1]) * 10 ** int(power[2]):.15g}"
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    sign, whole, decimals = found.groups()
    if not exact and style.group == "." and decimals and len(decimals) == 3:
        return text
    if len(whole) >= style.least and whole[0] != "0":
        whole = f"{int(whole):,}".replace(",", style.group)
    return sign + whole + (style.point + decimals if decimals else "")


def plain_number(text: str, language: str) -> str:
    """The other way: digits with "." before the decimals, as `{{formatnum:...|R}}` gives it."""
    style = _style(language)
    return re.sub(r"\s", "", text).replace(style.group, "").replace(style.point, ".")


def date(language: str, year: str = "", month: str = "", day: str = "", day_first: bool = False) -> str:
    """A date of what there is. `month` is a number or a name; `day_first` is the other order that English has."""
    style = _style(language)
    if month.isdecimal() and 1 <= int(month) <= 12:
        month = months(language)[int(month) - 1]
    parts = {"y": year, "m": month, "d": day.lstrip("0"), "of": "d'" if month[:1] in "aeiou" else "de "}
    if not month:
        return year or day
    if not day:
        return (style.month if year else "{m}").format(**parts)
    if not year:
        return ("{d} {m}" if day_first else style.day).format(**parts)
    return ("{d} {m} {y}" if day_first else style.date).format(**parts)


def iso_date(text: str, language: str, day_first: bool = False) -> str:
    """2001-05-03 and 2001-05 as a date in words; anything else as it is."""
    found = _ISO_DATE.fullmatch(text.strip())
    return date(language, found[1], found[2], found[3] or "", day_first) if found else text.strip()


def ordinal(text: str, language: str) -> str:
    """ "1" -> "1st", "1er", "1."; what is no number as it is."""
    if not text.isdecimal():
        return text
    if language in ("en", "simple"):
        last = "" if text[-2:-1] == "1" else text[-1]
        return text + {"1": "st", "2": "nd", "3": "rd"}.get(last, "th")
    if language == "fr":
        return text + ("er" if text == "1" else "e")
    return text + ("º" if language in ("es", "it", "pt") else ".")
