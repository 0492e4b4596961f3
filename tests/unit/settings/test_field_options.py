"""Options of fields: what they accept, what is said of wrong ones, and what becomes of them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from ocrwatch.errors import UsageError
from ocrwatch.recipe import FieldRule
from ocrwatch.settings import Profile, Settings, recipe
from ocrwatch.settings.field_options import DocumentType, FieldOptions, fields_of
from ocrwatch.settings.load import load
from ocrwatch.settings.reloadable import changes
from ocrwatch.settings.render import show

TYPES = [each for each in get_args(DocumentType) if each != "none"]
FIELD = '[[profiles]]\nmatch = "a/**"\n[[profiles.fields]]\n'


def write(path: Path, text: str) -> Path:
    """Write a file that root accepts too."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


def profile(**options: Any) -> Profile:
    """Make a profile."""
    return Profile.model_validate({"match": "**", **options})


@pytest.mark.parametrize(
    ("field", "message", "remedy"),
    [
        ('name = "Total"\ntype = "amount"', 'profiles[0].fields[0].name = "Total" is not valid', "a small letter"),
        (f'name = "{"a" * 61}"\ntype = "amount"', "profiles[0].fields[0].name", "at most 60"),
        ('name = "read_at"\ntype = "amount"', "profiles[0].fields[0].name", "choose another name"),
        ('name = "a_standing"\ntype = "amount"', "profiles[0].fields[0].name", "choose another name"),
        ('name = "a"\ntype = "amount"\nequals = ["b+c+d+e+f"]', "equals[0]", "at most 4 parts"),
        ('near = ["total"]', "profiles[0].fields[0].name is missing", "add it"),
        (
            'name = "a"\nnaer = ["x"]',
            "no option profiles[0].fields[0].naer",
            "did you mean profiles[0].fields[0].near?",
        ),
        ('name = "a"\ntype = "amuont"', 'profiles[0].fields[0].type = "amuont"', "did you mean amount?"),
        ('name = "a"\ntype = "date"\npick = "frist"', 'profiles[0].fields[0].pick = "frist"', "did you mean first?"),
        ('name = "a"', "profiles[0].fields[0]", "give the text field a near, pattern or zone"),
        ('name = "a"\ntype = "code"', "profiles[0].fields[0]", "give the code field a near, pattern or zone"),
        ('name = "a"\nnear = [""]', "profiles[0].fields[0].near", "none that is empty"),
        ('name = "a"\npattern = "("', 'profiles[0].fields[0].pattern = "("', "not a regular expression"),
        ('name = "a"\npattern = "(a)(b)"', 'profiles[0].fields[0].pattern = "(a)(b)"', "at most one group"),
        ('name = "a"\nzone = [0, 0, 2, 1]', "profiles[0].fields[0].zone[2] = 2", "at most 1"),
        ('name = "a"\nzone = [0.5, 0.5, 0.5001, 0.6]', "profiles[0].fields[0]", "make the zone of the field a larger"),
        ('name = "a"\ntype = "date"\nanchor = "x"', "profiles[0].fields[0]", "give it the zone"),
        ('name = "a"\ntype = "date"\nlanguages = []', "profiles[0].fields[0].languages", "name at least one"),
        ('name = "a"\ntype = "date"\nlocale = "xx_YY"', 'profiles[0].fields[0].locale = "xx_YY"', "de_DE"),
        ('name = "a"\ntype = "date"\nequals = ["a"]', "profiles[0].fields[0]", "equals is for amounts"),
        ('name = "a"\ntype = "amount"\nequals = ["b * c"]', 'equals[0] = "b * c"', "net + tax"),
        ('name = "a"\ntype = "amount"\nequals = ["b + c"]', "profiles[0]", "equals of the field a has b"),
        ('name = "a"\ntype = "amount"\nequals = ["a"]', "profiles[0]", "equals of the field a has a"),
        ('name = "a"\ntype = "date"\n[[profiles.fields]]\nname = "a"\ntype = "date"', "profiles[0]", "rename one"),
        ('name = "b"\ntype = "date"\n[[profiles.fields]]\nname = "a"\ntype = "dat"', "fields[1].type", "did you mean"),
    ],
)
def test_what_is_wrong_with_a_field(tmp_path: Path, field: str, message: str, remedy: str) -> None:
    """One sentence has the path of the option, another says what to do."""
    path = write(tmp_path / "my.toml", FIELD + field)
    with pytest.raises(UsageError) as refused:
        load(path, {}, {})
    assert str(path) in refused.value.message
    assert message in refused.value.message
    assert remedy in refused.value.remedy


@pytest.mark.parametrize(
    ("option", "message", "remedy"),
    [
        ('document_type = "recipt"', 'profiles[0].document_type = "recipt"', "did you mean receipt?"),
        ('locale = "zz"', 'profiles[0].locale = "zz"', "de_DE"),
        ("fields = 5", "profiles[0].fields = 5", "a list"),
    ],
)
def test_what_is_wrong_with_a_profile(tmp_path: Path, option: str, message: str, remedy: str) -> None:
    """Its own options are checked likewise."""
    with pytest.raises(UsageError) as refused:
        load(write(tmp_path / "my.toml", f'[[profiles]]\nmatch = "a"\n{option}'), {}, {})
    assert message in refused.value.message
    assert remedy in refused.value.remedy


@pytest.mark.parametrize("document_type", TYPES)
def test_ready_made_fields_are_valid(document_type: DocumentType) -> None:
    """Each type of document has fields whose names and sums fit, and at least one is required."""
    found = profile(document_type=document_type).all_fields
    assert found == fields_of(document_type)
    assert len({options.name for options in found}) == len(found) > 0
    assert any(options.required for options in found)


def test_no_type_of_document_has_no_fields() -> None:
    """This is the default, and such a profile looks for none."""
    assert profile().all_fields == fields_of("none") == ()


def test_own_fields_replace_and_follow_the_ready_made_ones() -> None:
    """One with the name of a ready-made field is in its place, with none of its options; others come last."""
    date = {"name": "date", "pattern": "dated (.*)"}
    found = profile(
        document_type="receipt", fields=[{"name": "till", "type": "code", "near": ["till"]}, date]
    ).all_fields
    ready = fields_of("receipt")
    assert [options.name for options in found] == [*(options.name for options in ready), "till"]
    assert found[0] == FieldOptions.model_validate(date)
    assert not found[0].required
    assert found[1:-1] == ready[1:]


def test_sums_may_name_ready_made_fields() -> None:
    """A replaced amount that is one no longer is refused: the sums that name it could never be right."""
    paid = {"name": "paid", "type": "amount", "near": ["paid"], "equals": ["total"]}
    assert profile(document_type="receipt", fields=[paid]).all_fields[-1].equals == ("total",)
    with pytest.raises(ValueError, match="equals of the field paid has total, which is no other amount"):
        profile(document_type="receipt", fields=[paid, {"name": "total", "near": ["total"]}])


def test_rules_have_the_options_and_the_locale_of_the_profile() -> None:
    """A field has the same options with the same defaults as its rule; its own locale is stronger."""
    assert list(FieldOptions.model_fields) == [field.name for field in fields(FieldRule)]
    near = ["order"]
    one, other, zone = (
        {"name": "one", "near": near},
        {"name": "other", "near": near, "locale": "en_US"},
        {"name": "zone", "zone": [0, 0.5, 1, 1], "languages": "deu,eng", "day_first": False},
    )
    settings = Settings.model_validate(
        {"profiles": [{"match": "a/**", "locale": "de-DE", "fields": [one, other, zone]}]}
    )
    assert recipe(settings.for_path("a/1.jpg")).fields == (
        FieldRule("one", near=("order",), locale="de_DE"),
        FieldRule("other", near=("order",), locale="en_US"),
        FieldRule("zone", zone=(0, 0.5, 1, 1), languages=("deu", "eng"), day_first=False, locale="de_DE"),
    )
    assert recipe(settings.for_path("b/1.jpg")).fields == recipe(settings).fields == ()


def test_what_is_shown_gives_the_same_fields(tmp_path: Path) -> None:
    """The effective settings with profiles and fields can be used as a file."""
    text = """
    [[profiles]]
    match = "a/**"
    document_type = "invoice"
    locale = "de_DE"
    [profiles.ocr]
    page_segmentation = 4
    [[profiles.fields]]
    name = "order"
    pattern = 'no\\. (\\d+) "x"'
    near = ["order | bestellung", "*"]
    [[profiles.fields]]
    name = "due"
    type = "date"
    zone = [0.5, 0, 1, 0.25]
    day_first = false
    second_look = false
    [[profiles]]
    match = "b/**"
    [[profiles.fields]]
    name = "account"
    type = "iban"
    languages = ["eng"]
    """
    found = load(write(tmp_path / "my.toml", text), {}, {})
    shown = show(found)
    assert shown.count("[[profiles.fields]]") == 3
    again = load(write(tmp_path / "shown.toml", shown), {}, {}).settings
    assert again == found.settings
    assert again.profiles[0].all_fields == found.settings.profiles[0].all_fields


def test_a_reload_takes_fields() -> None:
    """Scans that come after it are read with another recipe, which has its own key in the cache."""
    field = {"name": "order", "near": ["order"]}
    before = Settings.model_validate({"profiles": [{"match": "**", "fields": [field]}]})
    after = Settings.model_validate({"profiles": [{"match": "**", "fields": [{**field, "near": ["order no"]}]}]})
    found = changes(before, after)
    assert (found.taken, found.kept) == (("profiles",), ())
    assert recipe(found.settings.for_path("a.jpg")) != recipe(before.for_path("a.jpg"))
    assert recipe(found.settings.for_path("a.jpg")).fields[0].near == ("order no",)
