"""Decides which candidate is the value of each field, and how sure it is."""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from ocrwatch.document import Standing
from ocrwatch.recipe import FieldRule
from ocrwatch.recognise.extract.fields.candidates import Candidate
from ocrwatch.recognise.extract.fields.dates import folded

_MOST_TERMS: Final = 5
"""Candidates of each term of a sum that are tried."""

_WEAK_CHECKS: Final = frozenset({"luhn", "ean"})
"""Types with one check digit: one number in ten has a right one by chance."""

_MOST_PARTS: Final = 4
"""Values of one field that are added up, at most."""

_SURE: Final = 60.0
"""Confidence of every word of a value that is not doubtful, 0 to 100, at least."""

_SHORTEST_REPEATED: Final = 5
"""Characters of a code that is not there twice by chance, at least."""

_SHORTEST_CODE: Final = 3
"""Characters of a code that is not the rest of a misread one, at least."""

_TERM: Final = re.compile(r"([+-]?)\s*([a-z][a-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Decision:
    """The value of a field, and how sure it is."""

    candidate: Candidate | None
    standing: Standing
    ground: str
    is_ambiguous: bool = False
    """Whether it may be another value on the page, however well it was read."""


def decide(
    rules: Sequence[FieldRule], found: Mapping[str, Sequence[Candidate]], labelled: Container[str] = ()
) -> dict[str, Decision]:
    """Return the value of each field by its name; ``labelled`` has the names of those with a label on the page."""
    decisions = sums(rules, found)
    for rule in rules:
        if rule.name not in decisions:
            decisions[rule.name] = _alone(rule, found, is_labelled=rule.name in labelled)
    return decisions


def sums(rules: Sequence[FieldRule], found: Mapping[str, Sequence[Candidate]]) -> dict[str, Decision]:
    """Return the fields that are verified as a sum of others, or as a part of such a sum."""
    decisions: dict[str, Decision] = {}
    for rule in rules:
        for candidate, terms, names in _sums(rule, found):
            if rule.name in decisions:
                break
            decisions[rule.name] = Decision(candidate, Standing.VERIFIED, _sum_in_words(names, terms))
            for (_, name), term in zip(names, terms, strict=True):
                # Zero adds nothing: it may be anything that was misread.
                if Decimal(term.value):
                    verified = Decision(term, Standing.VERIFIED, f"{rule.name} is {_written(names)}")
                    decisions.setdefault(name, verified)
    return decisions


def _sums(
    rule: FieldRule, found: Mapping[str, Sequence[Candidate]]
) -> Iterator[tuple[Candidate, tuple[Candidate, ...], list[tuple[str, str]]]]:
    """Yield the candidates that are sums of others, those of the first sum first, with their terms."""
    candidates = found[rule.name]
    clean = [each.place for each in candidates if each.label and not (each.is_contested or each.doubt)]
    for number, written in enumerate(rule.equals):
        names = _names(written)
        by_total: dict[Decimal, list[tuple[Candidate, ...]]] = {}
        for terms in itertools.product(*(_terms(found.get(name, ())) for _, name in names)):
            by_total.setdefault(_total(terms, names), []).append(terms)
        for candidate in (*candidates, *_together(candidates)):
            total = Decimal(candidate.value)
            for terms in by_total.get(total, ()) if total and not candidate.is_contested else ():
                if (candidate.label or _shows(terms, clean, is_first=not number)) and _are_apart(candidate, terms):
                    yield candidate, terms, names


def _names(written: str) -> list[tuple[str, str]]:
    """Return the sign and the name of each part of a sum."""
    return [(sign or "+", name) for sign, name in _TERM.findall(written)]


def _shows(terms: Sequence[Candidate], labelled: Sequence[frozenset[int]], *, is_first: bool) -> bool:
    """Return whether a sum shows that an amount without a label is the value.

    There are many amounts on a page. The sum must have two parts, and if another amount has a label of the field, that
    is one of the parts, such as a total before rounding, or the sum is the one that always holds.
    """
    places = {term.place for term in terms}
    return sum(Decimal(term.value) != 0 for term in terms) > 1 and (is_first or places.issuperset(labelled))


def _terms(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that may be part of a sum: one proves nothing if it may be another value."""
    good = (each for each in candidates if each.label and not (each.is_contested or each.doubt))
    return list(itertools.islice(good, _MOST_TERMS))


def _total(terms: Sequence[Candidate], names: Sequence[tuple[str, str]]) -> Decimal:
    return sum(
        (Decimal(sign + "1") * Decimal(term.value) for (sign, _), term in zip(names, terms, strict=True)), Decimal(0)
    )


def _are_apart(candidate: Candidate, terms: Sequence[Candidate]) -> bool:
    """Return whether all values were read at different places."""
    places = [candidate.place, *(term.place for term in terms)]
    apart = sum(map(len, places)) == len(frozenset().union(*places))
    pairs = itertools.combinations((candidate, *terms), 2)
    return all(places) and apart and not any(one.is_at_place_of(other) for one, other in pairs)


def _together(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    """Yield the sum of the values at all equally good labels: an invoice may have a line of tax for each rate.

    It is no value by itself: other amounts must show that it is meant.
    """
    several = [
        each
        for each in candidates
        if each.label and not each.order and (each.rank, each.is_below) == (candidates[0].rank, candidates[0].is_below)
    ]
    parts = [each for at, each in enumerate(several) if not any(each.place & other.place for other in several[:at])]
    if 1 < len(parts) <= _MOST_PARTS:
        parts.sort(key=lambda each: each.line)
        yield replace(
            parts[0],
            value=str(sum(Decimal(each.value) for each in parts)),
            text=" + ".join(each.text for each in parts),
            words=tuple(word for each in parts for word in each.words),
            doubt=next((each.doubt for each in parts if each.doubt), ""),
            is_reread=any(each.is_reread for each in parts),
        )


def _written(names: Sequence[tuple[str, str]]) -> str:
    first, *rest = names
    return " ".join([first[1] if first[0] == "+" else f"-{first[1]}", *(f"{sign} {name}" for sign, name in rest)])


def _sum_in_words(names: Sequence[tuple[str, str]], terms: Sequence[Candidate]) -> str:
    if len(terms) == 1:
        return f"it is also {_written(names)}"
    first, *rest = (f"({term.value})" if term.value.startswith("-") else term.value for term in terms)
    values = " ".join([first, *(f"{sign} {value}" for (sign, _), value in zip(names[1:], rest, strict=True))])
    return f"it is {_written(names)}: {values}"


def _alone(rule: FieldRule, found: Mapping[str, Sequence[Candidate]], *, is_labelled: bool) -> Decision:
    """Return the decision for a field that no sum verifies."""
    candidates = found[rule.name]
    if rule.type == "amount" and rule.near:
        # There are many amounts on a page: only a sum can say which one is meant, unless there is only one.
        others = {each.place for name, those in found.items() if name != rule.name for each in those if each.label}
        clean = [candidate for candidate in candidates if not candidate.doubt and candidate.place not in others]
        if not (rule.equals or is_labelled) and len({candidate.value for candidate in clean}) == 1:
            return Decision(clean[0], Standing.DOUBTFUL, "it is the only amount, without a label", is_ambiguous=True)
        candidates = [candidate for candidate in candidates if candidate.label]
    if candidates:
        return _best(rule, candidates, found)
    return Decision(None, Standing.MISSING, _why_missing(rule, is_labelled=is_labelled))


def _best(rule: FieldRule, candidates: Sequence[Candidate], found: Mapping[str, Sequence[Candidate]]) -> Decision:
    """Return the decision for a field that has candidates of its own."""
    best = candidates[0]
    checked = by_check_digits(rule, candidates)
    if checked is not None:
        return checked
    again = _again(rule, candidates)
    if again is not None:
        candidate, other = again
        where = f"at {other.label!r}" if other.label and other.label != candidate.label else "elsewhere on the page"
        return Decision(candidate, Standing.VERIFIED, f"the same value is {where}")
    ambiguity = _ambiguity(best, candidates) or _contradiction(rule, best, found)
    if ambiguity:
        return Decision(best, Standing.DOUBTFUL, ambiguity, is_ambiguous=True)
    doubt = _doubt(rule, best)
    if doubt:
        return Decision(best, Standing.DOUBTFUL, doubt)
    return Decision(
        best,
        Standing.READ,
        f"it is {'below' if best.is_below else 'beside'} {best.label!r}" if best.label else "it is the only such value",
    )


def _why_missing(rule: FieldRule, *, is_labelled: bool) -> str:
    if is_labelled:
        return "no such value is at its label" if rule.pattern or rule.type != "text" else "nothing is at its label"
    return "no label was found" if rule.near else "no such value was found"


def by_check_digits(rule: FieldRule, candidates: Sequence[Candidate]) -> Decision | None:
    """Return the decision if check digits make it; ``candidates`` are in their order.

    Those at the best label count, since any number may have right ones.
    """
    right = [each for each in candidates if each.is_checked and each.rank == candidates[0].rank]
    if not right or (rule.type in _WEAK_CHECKS and not right[0].label):
        return None
    others = {each.value for each in right} - {right[0].value}
    if others:
        return Decision(right[0], Standing.DOUBTFUL, "there are several with right check digits", is_ambiguous=True)
    return Decision(right[0], Standing.VERIFIED, "its check digits are right")


def misreading(candidate: Candidate) -> str:
    """Return why a value may have been misread; empty if it looks right."""
    if candidate.doubt:
        return candidate.doubt
    if candidate.confidence is not None and candidate.confidence < _SURE:
        return f"the confidence of a word is {int(candidate.confidence)}"
    return ""


def _doubt(rule: FieldRule, best: Candidate) -> str:
    """Return why a value beside a label may not be the right one; empty if it looks right."""
    if why := misreading(best):
        return why
    if rule.type == "code" and not rule.pattern and len(best.value) < _SHORTEST_CODE:
        return "it is short"
    return ""


def _again(rule: FieldRule, candidates: Sequence[Candidate]) -> tuple[Candidate, Candidate] | None:
    """Return a value that was read at two places, and the other place."""
    unlabelled = {candidate.value for candidate in candidates if not candidate.label}
    for candidate in candidates:
        if candidate.rank > candidates[0].rank or candidate.is_contested:
            break
        if candidate.doubt:
            # Misunderstood twice in the same way.
            continue
        if not candidate.label and len(unlabelled) > 1:
            # It may be the value of another field, whose label was misread.
            break
        if rule.type == "amount" and not Decimal(candidate.value):
            continue
        if rule.type not in ("amount", "date") and len(candidate.value) < _SHORTEST_REPEATED:
            continue
        for other in candidates:
            if rule.type == "amount" and (not other.label or other.order or candidate.order):
                # Of several amounts in a line, only the last one is likely to be the value.
                continue
            if other.value == candidate.value and _is_independent(candidate, other):
                return candidate, other
    return None


def _is_independent(candidate: Candidate, other: Candidate) -> bool:
    """Return whether two candidates were read at different places, and not beside the same label.

    The label of a subtotal, or of an expiry date, may stand there twice.
    """
    if candidate.is_at_place_of(other):
        return False
    return not candidate.label or folded(other.label) != folded(candidate.label)


def _ambiguity(best: Candidate, candidates: Sequence[Candidate]) -> str:
    """Return why another value may be the right one; empty if none may."""
    if best.is_contested:
        return "another label is between it and its label"
    rivals = {
        other.value
        for other in candidates
        if (other.rank, other.is_contested, other.is_below) == (best.rank, False, best.is_below)
        and other.order == best.order
    }
    if len(rivals) > 1:
        others = sorted(rivals - {best.value})
        return (
            f"there {'is another value' if len(others) == 1 else f'are {len(others)} other values'} beside such a label"
        )
    return ""


def _contradiction(rule: FieldRule, best: Candidate, found: Mapping[str, Sequence[Candidate]]) -> str:
    """Return what the first sum is if it is another value; empty if it is not, or not known.

    Only the first one always holds: the sum of net and tax lacks the charge for service that some receipts have.
    """
    names = _names(rule.equals[0]) if rule.equals else []
    terms = [next(iter(found.get(name, ())), None) for _, name in names]
    known = [term for term in terms if term and term.label and not (term.is_contested or term.doubt)]
    # One amount alone, such as cash, is no sum.
    if len(known) < max(2, len(names)):
        return ""
    total = _total(known, names)
    return f"{_written(names)} is {total}" if total > 0 and total != Decimal(best.value) else ""
