"""Words of MediaWiki that differ by language.

Origin of the namespace names and redirect words in `mediawiki.tsv`, for 288 Wikipedias: MediaWiki's
`languages/messages/Messages*.php`, as the API's siteinfo lists them for each Wikipedia, in the form that DBpedia's
extraction framework keeps them (`Namespaces.scala`, `Redirect.scala`).
"""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

LANGUAGES = (
    *("bg", "ca", "cs", "da", "de", "en", "es", "fr", "hr", "hu"),
    *("it", "nl", "pl", "pt", "ro", "ru", "sl", "sr", "sv", "uk"),
)
"""The Wikipedias of LLaMA-1 (section 2.1)."""


@cache
def _named() -> dict[tuple[str, str], frozenset[str]]:
    rows = files("corpus.text").joinpath("mediawiki.tsv").read_text("utf-8").splitlines()[1:]
    return {
        (language, kind): frozenset(listed.split("|")) for language, kind, listed in (row.split("\t") for row in rows)
    }


def names(language: str, kind: str) -> frozenset[str]:
    """Lower-case names that a Wikipedia has, beside the English ones, for the namespace `media`, `file`, `category` or
    `template`, or for `redirect`, the word behind "#" at the start of one. Empty for a language that is not known."""
    return _named().get((language, kind), frozenset())


@cache
def hidden_namespaces(language: str) -> frozenset[str]:
    """Lower-case names of the namespaces whose links are not text: media, files and categories."""
    english = frozenset({"media", "file", "image", "category"})
    return english.union(*(names(language, kind) for kind in ("media", "file", "category")))


CANONICAL_NAMESPACES = {
    **{"Media": -2, "Special": -1, "Talk": 1, "User": 2, "User talk": 3, "Wikipedia": 4, "Wikipedia talk": 5},
    **{"File": 6, "Image": 6, "File talk": 7, "MediaWiki": 8, "MediaWiki talk": 9, "Template": 10},
    **{"Template talk": 11, "Help": 12, "Help talk": 13, "Category": 14, "Category talk": 15},
    **{"Portal": 100, "Portal talk": 101, "Draft": 118, "Module": 828},
}
"""English namespace names, for exports that neither number their pages (before 0.6) nor list their namespaces."""


class EndTitles(NamedTuple):
    """Lower-case titles of the sections that hold references, notes and lists of links. `possible`: those that can be
    the topic of an article too, such as Literature and Sources."""

    sure: frozenset[str] = frozenset()
    possible: frozenset[str] = frozenset()


@cache
def end_titles(language: str) -> EndTitles:
    """Of a Wikipedia; none for a language that is not in the table."""
    sure, _, possible = _END_TITLES.get(_SAME_TITLES.get(language, language), "").partition("//")
    return EndTitles(frozenset(filter(None, sure.split("|"))), frozenset(filter(None, possible.split("|"))))


_SAME_TITLES = {
    "nn": "no",
    "nb": "no",
    "sh": "hr",
    "bs": "hr",
    "be-tarask": "be",
    "als": "de",
    "bar": "de",
    "arz": "ar",
}
_END_TITLES = {
    "bg": "вижте също|вижте още|бележки|бележки и източници|външни препратки|външни връзки|препратки|библиография|"
    "допълнителна литература|цитирани източници//източници|литература",
    "ca": "vegeu també|referències|notes|notes i referències|referències i notes|enllaços externs|lectures addicionals|"
    "lectura addicional|bibliografia complementària//bibliografia|fonts",
    "cs": "související články|související stránky|reference|poznámky|poznámky a reference|odkazy|externí odkazy|"
    "doporučená literatura|použitá literatura//literatura|zdroje|bibliografie",
    "da": "se også|noter|noter og referencer|referencer|fodnoter|eksterne henvisninger|eksterne links|henvisninger|"
    "kilder og henvisninger|yderligere læsning|kilder og eksterne henvisninger//kilder|litteratur|bibliografi",
    "de": "siehe auch|weblinks|einzelnachweise|referenzen|anmerkungen|fußnoten|anmerkungen und einzelnachweise|"
    "einzelnachweise und anmerkungen|weiterführende literatur|literatur und quellen|quellen und einzelnachweise|"
    "literatur und weblinks|weblinks und quellen//literatur|quellen|belege|bibliographie",
    "en": "see also|references|notes|footnotes|citations|notes and references|references and notes|further reading|"
    "external links|external link|external sources|notes and citations|citations and notes|explanatory notes|"
    "references and further reading|references and external links|works cited|general references|notes and sources|"
    "sources and references|references and sources|bibliography and further reading|related links//"
    "sources|bibliography|references cited|literature",
    "es": "véase también|referencias|notas|notas y referencias|referencias y notas|enlaces externos|enlace externo|"
    "referencias y enlaces externos|lecturas adicionales|bibliografía adicional|bibliografía complementaria|"
    "véase además|citas y referencias//bibliografía|fuentes",
    "fr": "voir aussi|notes et références|références|notes|annexes|articles connexes|article connexe|liens externes|"
    "lien externe|liens et documents externes|notes et sources|références et notes|notes, sources et références|"
    "annexe|pour approfondir//bibliographie|sources|sources et bibliographie",
    "hr": "vidi još|vidi također|također pogledajte|povezani članci|bilješke|napomene|izvori i bilješke|"
    "bilješke i izvori|vanjske poveznice|vanjske veze|poveznice|reference|spoljašnje veze|vanjski linkovi|"
    "također pogledati//izvori|literatura",
    "hu": "lásd még|kapcsolódó szócikkek|jegyzetek|megjegyzések|hivatkozások|további információk|külső hivatkozások|"
    "külső linkek|ajánlott irodalom|felhasznált irodalom|lábjegyzetek|kapcsolódó cikkek|jegyzetek, hivatkozások//"
    "források|irodalom|bibliográfia",
    "it": "voci correlate|note|altri progetti|collegamenti esterni|riferimenti|note e riferimenti|annotazioni//"
    "bibliografia|fonti",
    "nl": "zie ook|referenties|noten|voetnoten|bronnen, noten en/of referenties|externe links|externe link|"
    "externe koppelingen|bronnen en referenties|noten en referenties|verder lezen|externe verwijzingen|"
    "bronvermelding|bronnen en noten|bronnen en externe links//bronnen|bron|literatuur|bibliografie",
    "pl": "zobacz też|przypisy|linki zewnętrzne|uwagi i przypisy|przypisy i uwagi//uwagi|bibliografia|literatura|"
    "źródła|literatura przedmiotu",
    "pt": "ver também|referências|notas|notas e referências|leitura adicional|ligações externas|links externos|"
    "leitura complementar|referências e notas|notas e bibliografia|ligação externa|referências bibliográficas//"
    "bibliografia|fontes",
    "ro": "vezi și|note|referințe|note și referințe|lectură suplimentară|legături externe|note de subsol|"
    "note bibliografice|referințe și note|lecturi suplimentare//bibliografie|surse",
    "ru": "см. также|примечания|сноски|ссылки|смотри также|смотрите также|внешние ссылки|примечания и ссылки|"
    "источники и ссылки|библиографические ссылки|примечания и источники|ссылки и источники//литература|источники|"
    "библиография",
    "simple": "references|other websites|related pages|notes|more reading|further reading|external links|see also|"
    "footnotes|citations|other pages|more websites|notes and references|related websites|sources and references//"
    "sources|bibliography|books",
    "sl": "glej tudi|sklici|opombe|opombe in reference|opombe in sklici|sklici in opombe|reference|zunanje povezave|"
    "sklici in viri|opombe in viri|nadaljnje branje|viri in sklici//viri|literatura",
    "sr": "види још|референце|напомене|спољашње везе|спољне везе|vidi još|reference|napomene|spoljašnje veze|"
    "spoljne veze|види такође|белешке|фусноте|додатна литература//извори|литература|izvori|literatura",
    "sv": "se även|referenser|noter|fotnoter|vidare läsning|externa länkar|källor och externa länkar|"
    "noter och referenser|externa källor|källförteckning|källhänvisningar|tryckta källor|webbkällor|"
    "referenser och noter//källor|litteratur|bibliografi",
    "uk": "див. також|примітки|виноски|посилання|дивись також|дивіться також|зовнішні посилання|примітки та посилання|"
    "джерела та посилання|примітки та джерела//джерела|література|бібліографія",
    # Of Wikipedias that the paper does not name, the largest.
    "af": "sien ook|verwysings|eksterne skakels|notas|bronnelys|verdere leeswerk//bronne|bibliografie",
    "ar": "انظر أيضا|انظر أيضًا|مراجع|المراجع|وصلات خارجية|ملاحظات|هوامش|روابط خارجية|قراءة موسعة//مصادر|المصادر",
    "az": "həmçinin bax|istinadlar|xarici keçidlər|qeydlər//mənbə|ədəbiyyat|mənbələr",
    "be": "гл. таксама|зноскі|спасылкі|заўвагі|крыніцы і спасылкі//літаратура|крыніцы",
    "ceb": "ang mga gi basihan niini|tan-awa usab|mga pakisayran|mga reperensiya|gikan sa gawas nga tinubdan",
    "cy": "gweler hefyd|cyfeiriadau|dolenni allanol|nodiadau|dolen allanol//ffynonellau|llyfryddiaeth",
    "el": "δείτε επίσης|παραπομπές|εξωτερικοί σύνδεσμοι|σημειώσεις|υποσημειώσεις|περαιτέρω ανάγνωση|"
    "αναφορές//πηγές|βιβλιογραφία",
    "eo": "vidu ankaŭ|referencoj|eksteraj ligiloj|notoj|eksteraj ligoj|notoj kaj referencoj//fontoj|literaturo",
    "et": "vaata ka|viited|välislingid|märkused//kirjandus|allikad",
    "eu": "erreferentziak|kanpo estekak|ikus, gainera|oharrak|kanpo loturak|ikus gainera//bibliografia",
    "fa": "جستارهای وابسته|منابع|پانویس|پیوند به بیرون|یادداشت‌ها|پیوندهای بیرونی|پانوشت|برای مطالعه بیشتر",
    "fi": "katso myös|lähteet|viitteet|aiheesta muualla|huomautukset|lähteet ja viitteet//kirjallisuutta|kirjallisuus",
    "ga": "féach freisin|tagairtí|naisc sheachtracha|nótaí//foinsí",
    "gl": "véxase tamén|notas|referencias|ligazóns externas|outros artigos|notas e referencias//bibliografía|fontes",
    "he": "ראו גם|לקריאה נוספת|קישורים חיצוניים|הערות שוליים|הערות//מקורות|ביבליוגרפיה",
    "hi": "इन्हें भी देखें|सन्दर्भ|संदर्भ|बाहरी कड़ियाँ|टिप्पणी|टीका-टिप्पणी//ग्रन्थसूची",
    "hy": "տես նաև|ծանոթագրություններ|արտաքին հղումներ|նշումներ//գրականություն|աղբյուրներ",
    "id": "lihat pula|lihat juga|referensi|pranala luar|catatan kaki|catatan|bacaan lanjutan|rujukan|"
    "bacaan lebih lanjut//sumber|daftar pustaka|pustaka",
    "is": "tenglar|tilvísanir|neðanmálsgreinar|tengt efni|sjá einnig//heimildir",
    "ja": "脚注|注釈|出典|参考文献|外部リンク|関連項目|関連文献|注|注釈・出典|脚注・出典|参照|"
    "出典・脚注|注記|関連記事//文献|資料",
    "ka": "იხილეთ აგრეთვე|სქოლიო|რესურსები ინტერნეტში|შენიშვნები//ლიტერატურა|წყაროები",
    "kk": "дереккөздер|тағы қараңыз|сыртқы сілтемелер|сілтемелер//әдебиет|пайдаланылған әдебиет",
    "ko": "같이 보기|각주|외부 링크|참고 문헌|주해|주석|참고문헌|내용주|출처주|각주와 참고 문헌|같이 읽기//출처|문헌",
    "la": "nexus externi|vide etiam|notae|nexus interni|adnotationes|pinacotheca//bibliographia|fontes",
    "lt": "taip pat skaitykite|nuorodos|išnašos|pastabos//šaltiniai|literatūra",
    "lv": "skatīt arī|atsauces|ārējās saites|piezīmes|piezīmes un atsauces//literatūra|avoti",
    "mk": "поврзано|наводи|надворешни врски|белешки|забелешки//литература|извори",
    "ms": "lihat juga|rujukan|pautan luar|nota|catatan|nota kaki|bacaan lanjut//sumber|bibliografi",
    "no": "se også|referanser|eksterne lenker|noter|fotnoter|sjå òg|referansar|eksterne lenkjer|bakgrunnsstoff|"
    "kilder og referanser//kilder|litteratur|kjelder",
    "oc": "vejatz tanben|referéncias|nòtas|ligams extèrnes|nòtas e referéncias//bibliografia",
    "sk": "pozri aj|referencie|externé odkazy|poznámky|iné projekty|poznámky a referencie|"
    "referencie a poznámky|pozri tiež//zdroje|literatúra",
    "sq": "shiko edhe|referime|lidhje të jashtme|referenca|shënime|burime dhe referime//burime|bibliografi|literatura",
    "ta": "மேற்கோள்கள்|வெளி இணைப்புகள்|இவற்றையும் பார்க்க|குறிப்புகள்//உசாத்துணை",
    "th": "ดูเพิ่ม|อ้างอิง|แหล่งข้อมูลอื่น|เชิงอรรถ|หมายเหตุ//บรรณานุกรม",
    "tr": "kaynakça|dış bağlantılar|ayrıca bakınız|notlar|konuyla ilgili yayınlar|dipnotlar|kaynaklar|"
    "dış bağlantı|ayrıca bakın//kaynak|bibliyografya",
    "ur": "مزید دیکھیے|حوالہ جات|بیرونی روابط|حواشی|مزید دیکھیے//مآخذ",
    "uz": "yana qarang|manbalar|havolalar|izohlar//adabiyot|adabiyotlar",
    "vi": "xem thêm|tham khảo|liên kết ngoài|chú thích|ghi chú|đọc thêm|chú giải//thư mục|nguồn",
    "zh": "参考文献|參考文獻|参考资料|參考資料|外部链接|外部連結|外部鏈接|注释|註釋|注釋|参见|參見|"
    "注解|註解|脚注|腳註|延伸阅读|"
    "延伸閱讀|相关条目|相關條目|扩展阅读|擴展閱讀|參看|参看|參考|参考|備註|备注|參考來源|参考来源//来源|來源|书目|書目",
}
"""Own list, from the headings of articles: titles that are never a topic, and behind "//" those that can be one."""
