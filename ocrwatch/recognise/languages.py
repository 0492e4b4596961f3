"""Tesseract's names of languages and scripts, and aliases for them.

Aliases are ISO 639-1 and 639-2 codes, English and some native names, and country codes that are often mistaken for
language codes. Languages are those that Debian 12 packages: ``apt-cache search --names-only '^tesseract-ocr-'``.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator

LANGUAGES = """
afr af: Afrikaans
amh am: Amharic, አማርኛ
ara ar: Arabic, العربية
asm as: Assamese
aze az: Azerbaijani, Azeri
aze_cyrl az_cyrl: Azerbaijani (Cyrillic)
bel be: Belarusian, беларуская
ben bn: Bengali, Bangla, বাংলা
bod bo tib: Tibetan
bos bs: Bosnian, bosanski
bre br: Breton
bul bg: Bulgarian, български
cat ca: Catalan, Valencian, català
ceb: Cebuano
ces cs cze cz: Czech, čeština
chi_sim zh_cn zh_sg zh_hans zh_hans_cn zhs cn: Chinese (simplified), Simplified Chinese, 简体中文
chi_sim_vert: Chinese (simplified, vertical)
chi_tra zh_tw zh_hk zh_mo zh_hant zh_hant_tw zht tw: Chinese (traditional), Traditional Chinese, 繁體中文
chi_tra_vert: Chinese (traditional, vertical)
chr: Cherokee
cos co: Corsican
cym cy wel: Welsh, Cymraeg
dan da dk: Danish, dansk
deu de ger: German, Deutsch
div dv: Divehi, Dhivehi, Maldivian
dzo dz: Dzongkha
ell el gre gr: Greek, Modern Greek, ελληνικά
eng en: English
enm: English (middle), Middle English
epo eo: Esperanto
est et ee: Estonian, eesti
eus eu baq: Basque, euskara
fao fo: Faroese
fas fa per: Persian, Farsi, فارسی
fil tl tgl: Filipino, Tagalog
fin fi: Finnish, suomi
fra fr fre: French, français
frk deu_frak deu_latf: German (Fraktur), Fraktur, German Fraktur
frm: French (middle), Middle French
fry fy: Western Frisian, Frisian
gla gd: Scottish Gaelic
gle ga: Irish, Irish Gaelic, Gaelic
glg gl: Galician, galego
grc: Greek (ancient), Ancient Greek
guj gu: Gujarati
hat ht: Haitian, Haitian Creole
heb he iw: Hebrew, עברית
hin hi: Hindi, हिन्दी
hrv hr scr: Croatian, hrvatski
hun hu: Hungarian, magyar
hye hy arm: Armenian
iku iu: Inuktitut
ind id: Indonesian, Bahasa Indonesia
isl is ice: Icelandic, íslenska
ita it: Italian, italiano
ita_old: Italian (old), Old Italian
jav jv: Javanese
jpn ja jp jap: Japanese, 日本語
jpn_vert: Japanese (vertical)
kan kn: Kannada
kat ka geo: Georgian
kat_old: Georgian (old), Old Georgian
kaz kk: Kazakh
khm km: Khmer, Cambodian
kir ky: Kyrgyz, Kirghiz
kmr ku kur: Kurmanji, Northern Kurdish, Kurdish
kor ko kr: Korean, 한국어
kor_vert: Korean (vertical)
lao lo: Lao, Laotian
lat la: Latin
lav lv: Latvian, latviešu
lit lt: Lithuanian, lietuvių
ltz lb: Luxembourgish
mal ml: Malayalam
mar mr: Marathi
mkd mk mac: Macedonian
mlt mt: Maltese
mon mn: Mongolian
mri mi mao: Maori
msa ms may: Malay, Bahasa Melayu
mya my bur: Burmese, Myanmar
nep ne: Nepali
nld nl dut: Dutch, Flemish, Nederlands
nor no nb nn nob nno: Norwegian, Bokmål, Nynorsk, norsk
oci oc: Occitan
ori or: Oriya, Odia
pan pa: Punjabi, Panjabi
pol pl: Polish, polski
por pt: Portuguese, português
pus ps: Pashto
que qu: Quechua
ron ro rum mo: Romanian, Moldovan, română
rus ru: Russian, русский
san sa: Sanskrit
sin si: Sinhala, Sinhalese
slk sk slo: Slovak, Slovakian, slovenčina
slv sl: Slovenian, Slovene, slovenščina
snd sd: Sindhi
spa es: Spanish, Castilian, español, castellano
spa_old: Spanish (old), Old Spanish
sqi sq alb: Albanian, shqip
srp sr scc: Serbian, српски
srp_latn sr_latn: Serbian (Latin), srpski
sun su: Sundanese
swa sw: Swahili
swe sv se: Swedish, svenska
syr: Syriac
tam ta: Tamil
tat tt: Tatar
tel te: Telugu
tgk tg: Tajik
tha th: Thai, ไทย
tir ti: Tigrinya
ton to: Tonga, Tongan
tur tr: Turkish, Türkçe
uig ug: Uyghur, Uighur
ukr uk ua: Ukrainian, українська
urd ur: Urdu
uzb uz: Uzbek
uzb_cyrl uz_cyrl: Uzbek (Cyrillic)
vie vi: Vietnamese, Tiếng Việt
yid yi: Yiddish
yor yo: Yoruba
"""
"""Languages with a Debian package: Tesseract's name, other codes, and after the colon full names."""

SCRIPTS = {
    "Arabic": "arab",
    "Armenian": "armn",
    "Bengali": "beng",
    "Canadian_Aboriginal": "cans",
    "Cherokee": "cher",
    "Cyrillic": "cyrl",
    "Devanagari": "deva",
    "Ethiopic": "ethi",
    "Fraktur": "frak",
    "Georgian": "geor",
    "Greek": "grek",
    "Gujarati": "gujr",
    "Gurmukhi": "guru",
    "HanS": "hans",
    "HanS_vert": "hans-vert",
    "HanT": "hant",
    "HanT_vert": "hant-vert",
    "Hangul": "hang",
    "Hangul_vert": "hang-vert",
    "Hebrew": "hebr",
    "Japanese": "jpan",
    "Japanese_vert": "jpan-vert",
    "Kannada": "knda",
    "Khmer": "khmr",
    "Lao": "laoo",
    "Latin": "latn",
    "Malayalam": "mlym",
    "Myanmar": "mymr",
    "Oriya": "orya",
    "Sinhala": "sinh",
    "Syriac": "syrc",
    "Tamil": "taml",
    "Telugu": "telu",
    "Thaana": "thaa",
    "Thai": "thai",
    "Tibetan": "tibt",
    "Vietnamese": "viet",
}
"""Tesseract's names of scripts, and the codes (ISO 15924) in the names of Debian's packages."""

WITHOUT_TEXT = frozenset({"osd", "equ"})
"""Tesseract's helper data: orientation and script detection, and equations. They are not languages."""

_CHINESE = ("chi_sim", "chi_tra")
_SEVERAL = dict.fromkeys(("zh", "chi", "zho", "chinese", "cmn", "中文", "mandarin"), _CHINESE)
_SURE_SEPARATORS = re.compile(r"\s*[+;,&|]\s*")
_SEPARATORS = re.compile(r"[\s+;,&/|]+")
_REGION = re.compile(r"([a-z]{2,3})_(?:[a-z]{2}|[0-9]{3})")
_LIKE = 0.8
"""Minimum similarity, 0 to 1, for a name to count as misspelt."""


def meant_by(name: str) -> tuple[str, ...]:
    """Return Tesseract's names of the languages that ``name`` may mean.

    Empty if it is not the name of a language. ``en-US`` means ``eng``, ``zh`` means ``chi_sim`` or ``chi_tra``,
    ``Cyrillic`` means ``script/Cyrillic``.
    """
    found = _known_as(name)
    if not found and not _SURE_SEPARATORS.search(name):
        close = difflib.get_close_matches(_key(name), _long_names(), n=1, cutoff=_LIKE)
        found = _names()[close[0]] if close else ()
    return found


def list_meant_by(name: str) -> tuple[str, ...]:
    """Return the languages in a list such as ``eng+deu``.

    Empty if the text is a single name, or no list. A part that is unknown or ambiguous is kept as it is.
    """
    separators = _SURE_SEPARATORS if _SURE_SEPARATORS.search(name) else _SEPARATORS
    parts = [part for part in separators.split(name.strip()) if part]
    meant = [_known_as(part) for part in parts]
    if _known_as(name) or (separators is _SEPARATORS and (len(parts) == 1 or not all(meant))):
        return ()
    return tuple(dict.fromkeys(each[0] if len(each) == 1 else part for part, each in zip(parts, meant, strict=True)))


def _known_as(name: str) -> tuple[str, ...]:
    """Look up a name, without a locale suffix such as in ``de_AT.UTF-8``."""
    key = _key(name.partition(".")[0])
    region = _REGION.fullmatch(key)
    found = (_SEVERAL.get(each) or _names().get(each) for each in (key, *([region[1]] if region else ())))
    return next(filter(None, found), ())


def debian_package(name: str) -> str | None:
    """Return the Debian package with the data of a language or script, or None."""
    kind, _, script = name.rpartition("/")
    if kind:
        code = SCRIPTS.get(script) if kind == "script" else None
        return f"tesseract-ocr-script-{code}" if code else None
    return f"tesseract-ocr-{name.replace('_', '-')}" if (name,) == _names().get(name) else None


def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())


@functools.cache
def _names() -> dict[str, tuple[str, ...]]:
    """Return Tesseract's names by all aliases. Languages have precedence over scripts."""
    meanings: dict[str, tuple[str, ...]] = {}
    for script in SCRIPTS:
        meanings |= dict.fromkeys((_key(script), f"script/{_key(script)}"), (f"script/{script}",))
    for name, others in _languages():
        meanings |= dict.fromkeys(map(_key, (name, *others)), (name,))
    return meanings


@functools.cache
def _long_names() -> tuple[str, ...]:
    """Return the names that are long enough to be matched if misspelt.

    Codes are too similar to each other.
    """
    shortest = 5
    return tuple(name for name in _names() if len(name) >= shortest)


def _languages() -> Iterator[tuple[str, list[str]]]:
    for line in LANGUAGES.strip().splitlines():
        codes, _, names = line.partition(": ")
        name, *others = codes.split(" ")
        # Split at commas, but not within parentheses, as in "Chinese (simplified, vertical)".
        yield name, [*others, *re.split(r", (?![^(]*\))", names)]
