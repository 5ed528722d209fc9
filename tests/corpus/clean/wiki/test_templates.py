"""Values of templates as readers see them, and the table they are in."""

import re
from collections import Counter
from importlib.resources import files

import pytest

from corpus.clean.wiki.kinds import KINDS
from corpus.clean.wiki.templates import find
from corpus.clean.wikitext import plain_text
from corpus.text.mediawiki import LANGUAGES


@pytest.mark.parametrize(
    ("language", "markup", "text"),
    [
        # measures
        ("en", "{{convert|1300|mi|km}}", "1,300 miles"),
        ("en", "{{convert|1|mi}} {{convert|5|to|10|km}} {{convert|5|-|10|km}}",
         "1 mile 5 to 10 kilometres 5–10 kilometres"),
        ("en", "a {{convert|100|km|mi|adj=on}} {{cvt|468|km2}} {{convert|6|ft|2|in|m}}",
         "a 100-kilometre 468 km² 6 feet 2 inches"),
        ("en", "{{convert|52,419|sqmi|km2|abbr=on}} {{convert|7|unitless}}", "52,419 sq mi 7 unitless"),
        ("ro", "{{conversie|197|km|0|abbr=on}} {{convert|2.5|m|ft}}", "197 km 2,5 m"),
        ("en", "{{val|12.5|u=kg}} {{val|299792458}}", "12.5 kg 299,792,458"),
        ("fr", "{{unité|2000|m}} {{Unité|12,5|km}} {{unité|123253 habitants}}", "2 000 m 12,5 km 123 253 habitants"),
        ("fr", "{{nombre|77006}} {{nombre|20.6|milliards}} {{tmp|-26|°C}}", "77 006 20,6 milliards -26 °C"),
        ("de", "{{Höhe|12|DE-NN}} {{formatnum:12345}} {{nowrap|93 m}}", "12 m 12.345 93 m"),
        ("sv", "{{formatnum:18.5}} {{formatnum:-10}} {{nts|1250}}", "18,5 -10 1 250"),
        ("hu", "{{szám|100000}} {{formatnum:1234}}", "100 000 1234"),
        ("en", "{{Pop density|3,645,257|640081.87|km2|sqmi|prec=1}} {{pop density|10|2|km2}}", "5.7/km² 5/km²"),
        # dates and ages
        ("en", "{{birth date|1850|1|2}} {{Birth date|1850|1|2|df=y}} {{start date|1900|5}}",
         "January 2, 1850 2 January 1850 May 1900"),
        ("fr", "{{date|11|novembre|1866}} {{date de naissance|17|octobre|1973}} {{date-|19 janvier}}",
         "11 novembre 1866 17 octobre 1973 19 janvier"),
        ("en", "{{date|11|novembre|1866}} {{date|2001-05-03|dmy}}", "11 novembre 1866 3 May 2001"),
        ("de", "{{Datum|1. Mai 1900}}", "1. Mai 1900"),
        ("en", "{{As of|2019|lc=y}} {{as of|2001|05|03|alt=since May}} {{circa|1850}}", "as of 2019 since May c. 1850"),
        ("en", "{{age|1900|1|2|1950|1|1}}", "49"),
        ("fr", "{{s|XIX|e}} {{XXe siècle}} {{1er}} {{2e|fois}}", "XIXe siècle XXe siècle 1er 2e fois"),
        # names, languages, scripts
        ("en", "{{nihongo|'''Emiya'''|エミヤ|Emiya}} {{nihongo|Archer|アーチャー}}",
         "Emiya (エミヤ, Emiya) Archer (アーチャー)"),
        ("en", "{{lang-ru|да}} {{lang|fr|bon}} {{transl|ja|kana}} {{IPAc-en|lang|p|ɪər}}", "да bon kana /pɪər/"),
        ("fr", "{{lang|la|mare nostrum}} {{citation|la mer}} {{nobr|35 ans}}", "mare nostrum « la mer » 35 ans"),
        ("ru", "{{нп5|Институт}} {{lang-de|Ortsteil}}", "Институт Ortsteil"),
        ("en", "{{ill|Some Person|de}} {{HMS|Exeter|68|6}} {{USS|Hornet|CV-12}}",
         "Some Person Exeter USS Hornet (CV-12)"),
        ("it", "{{Bio|Nome=Ada|Cognome=Neri|Sesso=F|LuogoNascita=Roma|GiornoMeseNascita=1º marzo|AnnoNascita=1900"
         "|LuogoMorte=Pisa|AnnoMorte=1950|Attività=attrice|Nazionalità=italiana}}",
         "Ada Neri (Roma, 1º marzo 1900 – Pisa, 1950) è stata un'attrice italiana."),
        # what is written in other signs
        ("en", "{{frac|1|2}} {{frac|3|1|2}} {{sfrac|a+b|c}}", "1/2 3 1/2 (a+b)/c"),
        ("en", "{{US$|1200}} {{INR}}50 5{{e|23}} {{chem|Pb|9|4-}} {{nth|3}}", "US$1,200 ₹50 5×10^23 Pb9^4- 3rd"),
        ("en", "a{{snd}}b{{'}}s {{ndash}} c{{nbsp}}d{{em dash}}e", "a – b's – c d—e"),
        ("en", "{{abbr|TLA|three}} {{tooltip|x|y}} {{code|x()}} {{math|1=a = b}} {{music|flat}}", "TLA x x() a = b ♭"),
        ("en", "He wrote: {{quote|All happy families are alike.}} {{cquote|text=So.}}",
         "He wrote: All happy families are alike. So."),
        ("en", "{{convert|{{formatnum:5|R}}|km}} {{lang|de|a{{!}}b}} {{nowrap|1=a=b}}", "5 kilometres a|b a=b"),
        ("en", "{{val|5|0.2|ul=kg}} {{val|1.23|+0.45|-0.67}} {{val|9.109|(40)|e=-31|u=kg}} {{val|3|u=km}}",
         "5 ± 0.2 kg 1.23 +0.45 −0.67 9.109(40) × 10^-31 kg 3 km"),
        ("en", "{{val|5|0.2|e=3|u=m}}", "(5 ± 0.2) × 10^3 m"),
        ("en", "{{harvtxt|Jones|2001}} and {{harvtxt|A|B|C|1999|pp=2–3}} and {{harvtxt|A|B|C|D|1999}}",
         "Jones (2001) and A, B & C (1999, pp. 2–3) and A et al. (1999)"),
        ("fr", "{{citation étrangère|en|hello}} {{citation étrangère|langue=en|hello}}", "« hello » « hello »"),
        # one name, another meaning
        ("en", "{{PHI}} {{phi}}", "PHI φ"),
        ("de", "{{lang|en|pier}} ({{enS|pier}})", "pier (pier)"),
        # names in other ways of writing
        ("en", "{{Template:Convert|5|km}} {{ convert |5|km}} {{Convert<!-- x -->|5|km}}",
         "5 kilometres 5 kilometres 5 kilometres"),
        ("de", "{{Vorlage:Nowrap|93 m}} {{Höhe_|12}}", "93 m 12 m"),
    ],
)  # fmt: skip
def test_values(language: str, markup: str, text: str) -> None:
    assert plain_text(markup, language, "Title") == (text, None, 0)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("a{{cn|date=May 2009}} b{{sfn|A|2000}} {{rp|28}}.", "a b."),
        ("a, {{citation needed}}, b", "a, b"),
        ("a ({{coord|1|2|N|3|4|E}}; b)", "a (b)"),
        ("* {{flagicon|ITA}} a", "a"),
        ("{{Infobox person\n| a = {{convert|5|km}}\n}}\nb", "b"),
        ("{{Main|x}}\nb", "b"),
    ],
)
def test_what_readers_do_not_see_in_the_text(markup: str, text: str) -> None:
    assert plain_text(markup, "en") == (text, None, 0)


def test_names_differ_by_wiki_and_fall_back_to_english() -> None:
    assert find("xx", "Convert")[1] == find("en", "convert")[1] != find("en", "lang")[1]
    assert find("de", "Vorlage:Höhe")[0] == "Höhe"
    assert find("en", "Vorlage:Höhe")[1] is None
    assert find("fr", "formatnum:5")[0] == "formatnum"


def test_the_table() -> None:
    """Each row has a kind that there is and a source, no name twice, and every language has its own."""
    rows = [
        line.split("\t")
        for line in files("corpus.clean.wiki").joinpath("templates.tsv").read_text("utf-8").splitlines()[1:]
    ]
    assert {kind for _, _, kind, _, _ in rows} <= {*KINDS, "drop"}
    assert all(source for *_, source in rows)
    assert all(name == name.lower().strip() for _, name, _, _, _ in rows)
    assert max(Counter((language, name) for language, name, *_ in rows).values()) == 1
    assert {language for language, *_ in rows} == {"*", *LANGUAGES} - {"en"}
    drops = {rule for _, _, kind, rule, _ in rows if kind == "drop"}
    assert drops == {"reference", "maintenance", "hatnote", "picture", "coordinates", "chess", "computed"}
    for _, name, kind, rule, _ in rows:
        if kind == "format":
            assert rule.count("[") == rule.count("]"), name
            assert not re.search(r"\{[^{}]*\{", rule), name
