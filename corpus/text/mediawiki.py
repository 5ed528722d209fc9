"""Words of MediaWiki that differ by language, for the 20 languages of LLaMA-1.

Origin of the namespace names and redirect words: MediaWiki's `languages/messages/Messages*.php`, as the API's siteinfo
lists them for each Wikipedia (checked against the lists that DBpedia's extraction framework generates from it).
They are joined into one set: a name that is a namespace in one language is not the start of a title in another, and
every wiki also accepts the English names.
"""

LANGUAGES = (
    *("bg", "ca", "cs", "da", "de", "en", "es", "fr", "hr", "hu"),
    *("it", "nl", "pl", "pt", "ro", "ru", "sl", "sr", "sv", "uk"),
)
"""The Wikipedias of LLaMA-1 (section 2.1)."""

REDIRECT_WORDS = (
    *("REDIRECT", "виж", "пренасочване", "REDIRECCIÓ", "REDIRECCIO", "PŘESMĚRUJ", "presmeruj", "OMDIRIGERING"),
    *("WEITERLEITUNG", "REDIRECCIÓN", "REDIRECCION", "REDIRECTION", "PREUSMJERI", "ÁTIRÁNYÍTÁS", "RINVIA", "RINVIO"),
    *("RIMANDO", "DOORVERWIJZING", "PATRZ", "PRZEKIERUJ", "TAM", "REDIRECIONAMENTO", "REDIRECTEAZA"),
    *("перенаправление", "перенапр", "PREUSMERITEV", "Преусмери", "Преусмјери", "Preusmeri", "ПЕРЕНАПРАВЛЕННЯ"),
)
"""What follows "#" at the start of a redirect, in any case."""

HIDDEN_NAMESPACES = frozenset(
    {
        # Media (-2)
        *("media", "медия", "média", "medium", "medio", "mediji", "multimédia", "медиа", "datoteka", "медіа"),
        *("medij", "medija", "медиј", "медија"),
        # File (6)
        *("file", "image", "файл", "картинка", "fitxer", "imatge", "soubor", "obrázok", "obrázek", "fil", "billede"),
        *("datei", "bild", "archivo", "imagen", "fichier", "slika", "fájl", "kép", "immagine", "bestand"),
        *("afbeelding", "plik", "grafika", "ficheiro", "arquivo", "imagem", "fișier", "fişier", "imagine"),
        *("изображение", "датотека", "слика", "fotografija", "фотографија", "зображення"),
        # Category (14)
        *("category", "категория", "categoria", "kategorie", "kategori", "categoría", "catégorie", "kategorija"),
        *("kategória", "categorie", "kategoria", "категорија", "категорія"),
    }
)
"""Lower-case names of the namespaces whose links are not text: media, files and categories."""

CANONICAL_NAMESPACES = {
    **{"Media": -2, "Special": -1, "Talk": 1, "User": 2, "User talk": 3, "Wikipedia": 4, "Wikipedia talk": 5},
    **{"File": 6, "Image": 6, "File talk": 7, "MediaWiki": 8, "MediaWiki talk": 9, "Template": 10},
    **{"Template talk": 11, "Help": 12, "Help talk": 13, "Category": 14, "Category talk": 15},
    **{"Portal": 100, "Portal talk": 101, "Draft": 118, "Module": 828},
}
"""English namespace names, for exports that neither number their pages (before 0.6) nor list their namespaces."""

END_SECTIONS: dict[str, frozenset[str]] = {
    language: frozenset(titles.split("|"))
    for language, titles in {
        "bg": "вижте също|източници|бележки|бележки и източници|външни препратки|литература",
        "ca": "vegeu també|referències|notes|notes i referències|bibliografia|enllaços externs",
        "cs": "související články|reference|poznámky|literatura|odkazy|externí odkazy|zdroje",
        "da": "se også|noter|noter og referencer|referencer|kilder|fodnoter|litteratur|eksterne henvisninger|"
        "eksterne links|henvisninger|kilder og henvisninger",
        "de": "siehe auch|literatur|weblinks|einzelnachweise|referenzen|quellen|anmerkungen|fußnoten|belege",
        "en": "see also|references|notes|footnotes|citations|notes and references|references and notes|sources|"
        "bibliography|further reading|external links|external link",
        "es": "véase también|referencias|notas|notas y referencias|bibliografía|fuentes|enlaces externos",
        "fr": "voir aussi|notes et références|références|notes|bibliographie|sources|annexes|articles connexes|"
        "liens externes|lien externe",
        "hr": "vidi još|vidi također|također pogledajte|povezani članci|izvori|bilješke|napomene|literatura|"
        "vanjske poveznice",
        "hu": "lásd még|kapcsolódó szócikkek|jegyzetek|megjegyzések|források|irodalom|hivatkozások|"
        "további információk|külső hivatkozások|külső linkek",
        "it": "voci correlate|note|bibliografia|fonti|altri progetti|collegamenti esterni",
        "nl": "zie ook|referenties|bronnen|bron|noten|voetnoten|bronnen, noten en/of referenties|literatuur|"
        "externe links|externe link",
        "pl": "zobacz też|przypisy|uwagi|bibliografia|literatura|linki zewnętrzne",
        "pt": "ver também|referências|notas|notas e referências|bibliografia|fontes|leitura adicional|"
        "ligações externas",
        "ro": "vezi și|note|referințe|note și referințe|bibliografie|lectură suplimentară|legături externe",
        "ru": "см. также|примечания|сноски|литература|источники|ссылки",
        "sl": "glej tudi|sklici|opombe|opombe in reference|opombe in sklici|sklici in opombe|reference|viri|"
        "literatura|zunanje povezave",
        "sr": "види још|референце|напомене|извори|литература|спољашње везе|спољне везе|"
        "vidi još|reference|napomene|izvori|literatura|spoljašnje veze|spoljne veze",
        "sv": "se även|referenser|noter|källor|fotnoter|litteratur|vidare läsning|externa länkar",
        "uk": "див. також|примітки|виноски|література|джерела|посилання",
    }.items()
}
"""Lower-case titles of the sections that hold references, notes and link lists, by language; own list, from the
headings of articles."""
