"""Values in Redis: only those of a daemon with the same secret are used."""

from __future__ import annotations

import hmac

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.cache.base import Entry
from ocrwatch.cache.sealing import MAX_BYTES, PREFIX, Rejected, name_of, seal, unseal

SECRET = b"s" * 32
NAME = name_of(b"k" * 32)
ENTRY = Entry(b"page", 1.5)


def signed(content: bytes) -> bytes:
    """Sign what may be anything with the right secret."""
    return hmac.digest(SECRET, NAME + content, "sha256") + content


def test_names_have_the_format_and_the_key() -> None:
    """So that values of another format are never looked up."""
    assert name_of(bytes(range(32))) == f"{PREFIX}{bytes(range(32)).hex()}".encode()
    assert PREFIX == "ocrwatch:1:"


@given(page=st.binary(max_size=1000), made_at=st.floats(min_value=0, allow_nan=False))
def test_an_entry_comes_back_as_it_was(page: bytes, made_at: float) -> None:
    """With its time."""
    value = seal(SECRET, NAME, Entry(page, made_at))
    assert value is not None
    assert unseal(SECRET, NAME, value) == Entry(page, made_at)


@given(st.data())
def test_a_value_with_any_change_is_rejected(data: st.DataObject) -> None:
    """One bit is enough, or one byte more or less."""
    value = seal(SECRET, NAME, ENTRY) or b""
    at = data.draw(st.integers(0, len(value) - 1))
    bit = data.draw(st.integers(0, 7))
    for changed in (value[:at], value[:at] + bytes([value[at] ^ 1 << bit]) + value[at + 1 :], value + b"\0"):
        with pytest.raises(Rejected, match="damaged"):
            unseal(SECRET, NAME, changed)


@given(st.one_of(st.binary(max_size=200), st.none(), st.integers(), st.text(max_size=5), st.lists(st.binary())))
def test_what_was_not_signed_is_rejected(value: object) -> None:
    """Whatever it is."""
    with pytest.raises(Rejected):
        unseal(SECRET, NAME, value)


@given(st.binary(max_size=200))
def test_signed_content_of_another_version_is_rejected(content: bytes) -> None:
    """Or it is an entry."""
    try:
        found = unseal(SECRET, NAME, signed(content))
    except Rejected:
        return
    assert isinstance(found.page, bytes)
    assert isinstance(found.made_at, float)


@pytest.mark.parametrize(
    "content",
    [
        [1.5],
        [1.5, b"page", 1],
        [1.5, "page"],
        ["1.5", b"page"],
        [-1.0, b"page"],
        [float("nan"), b"page"],
        {"page": b""},
    ],
)
def test_other_types_are_rejected(content: object) -> None:
    """Even with the right signature."""
    with pytest.raises(Rejected, match="another version"):
        unseal(SECRET, NAME, signed(msgspec.msgpack.encode(content)))


def test_a_value_for_another_name_or_secret_is_rejected() -> None:
    """A page cannot be moved to another scan."""
    value = seal(SECRET, NAME, ENTRY)
    for secret, name in ((b"t" * 32, NAME), (SECRET, name_of(b"l" * 32))):
        with pytest.raises(Rejected):
            unseal(secret, name, value)


def test_a_large_page_is_neither_sent_nor_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its length is checked before anything else is done with it."""
    largest = seal(SECRET, NAME, Entry(b"x" * (MAX_BYTES - 50), 1.5))
    assert largest is not None
    assert unseal(SECRET, NAME, largest).page.startswith(b"x")
    assert seal(SECRET, NAME, Entry(b"x" * MAX_BYTES, 1.5)) is None
    monkeypatch.setattr(hmac, "digest", lambda *_: pytest.fail("it was signed"))
    with pytest.raises(Rejected, match="bytes"):
        unseal(SECRET, NAME, b"x" * (MAX_BYTES + 1))
