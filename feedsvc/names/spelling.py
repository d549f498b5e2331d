r"""One canonical text for each domain name, however it was spelt.

Reads presentation format (RFC 1035 §5.1, RFC 4343) and wire labels. Case, one final dot and the way from U-labels to
A-labels (IDNA 2008, RFC 5891) are normalised; nothing else is: what cannot be decoded is refused, never repaired. Odd names
that decode are names here; whether one may be published is for `gate` to say.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import idna

from feedsvc.errors import NameRefused

MAX_LABEL = 63  # octets, RFC 1035 §2.3.4
MAX_WIRE = 255  # octets with length bytes and root, RFC 1035 §2.3.4
MAX_TEXT = 253  # the same, written without escapes and without the final dot
_MAX_SPELLING = 4 * MAX_WIRE + 8  # every octet escaped as \DDD, dots between

_CANONICAL = re.compile(r"[a-z0-9_-]{1,63}+(?>(?:\.[a-z0-9_-]{1,63}+)*)")
# Letters are spelt out: under re.IGNORECASE the KELVIN SIGN would pass for a k.
_PLAIN = re.compile(r"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
_RUN = re.compile(r"(?:\\.?|[^.\\])*", re.DOTALL)  # up to a dot that no backslash stands before
_ESCAPE = re.compile(rb"\\(?:([0-9]{3})|([^0-9])|)", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_FOREIGN_DOTS = re.compile("[\u3002\uff0e\uff61]")  # RFC 3490 §3.1 took them for dots; IDNA 2008 does not


def parse_name(text: str) -> str:
    """Bring a name in presentation format (`K3XQ.example.net.`) to its canonical text (`k3xq.example.net`).

    Raises:
        NameRefused: it is no domain name: empty, an empty label, a label over 63 or a name over 255 octets, an escape that
            is none, a label that IDNA refuses. Odd but decodable names pass; `publishable` judges them.
    """
    whole = text[:-1] if text[-1:] == "." else text
    if len(whole) <= MAX_TEXT and _CANONICAL.fullmatch(whole):
        return whole
    if len(text) <= MAX_TEXT and _PLAIN.fullmatch(text):
        return text.removesuffix(".").lower()
    if len(text) > _MAX_SPELLING:
        raise NameRefused("longer than any name can be written")
    labels = _split_spelling(text)
    if len(labels) > 1 and not labels[-1]:
        labels.pop()
    return encode_labels(labels)


def encode_labels(labels: Sequence[bytes]) -> str:
    """Canonical text of a name given as wire labels, without the root.

    Raises:
        NameRefused: no label, an empty or over-long label, an over-long name.
    """
    if not any(labels):
        raise NameRefused("no label: empty, or the root")
    for label in labels:
        if not label:
            raise NameRefused("empty label")
        if len(label) > MAX_LABEL:
            raise NameRefused(f"label of {len(label)} octets, {MAX_LABEL} is the limit")
    octets = sum(len(label) + 1 for label in labels) + 1
    if octets > MAX_WIRE:
        raise NameRefused(f"name of {octets} octets, {MAX_WIRE} is the limit")
    # bytes.lower() touches A-Z alone, as DNS compares (RFC 4343 §3).
    return ".".join(_write_label(label.lower()) for label in labels)


def split_labels(name: str) -> list[str]:
    """Labels of a canonical name, each still escaped."""
    return name.split(".") if "\\" not in name else [run for run in _RUN.findall(name) if run]


def decode_label(label: str) -> bytes:
    """The octets of one label of a canonical name."""
    return _unescape(label)


def is_under(name: str, parent: str) -> bool:
    """Whether a canonical name is `parent` itself or sits below it, label by label."""
    if name == parent:
        return True
    if not name.endswith("." + parent):
        return False
    head = name[: -len(parent) - 1]
    # After an odd number of backslashes the dot is a letter of the label, not its end.
    return (len(head) - len(head.rstrip("\\"))) % 2 == 0


def _write_byte(byte: int) -> str:
    char = chr(byte)
    if char in ".\\":
        return "\\" + char
    return char if _CANONICAL.fullmatch(char) else f"\\{byte:03d}"


_WRITTEN = tuple(_write_byte(byte) for byte in range(256))


def _write_label(label: bytes) -> str:
    return "".join(_WRITTEN[byte] for byte in label)


def _split_spelling(text: str) -> list[bytes]:
    """Wire labels of presentation format, cut at its dots that are not escaped; those of non-ASCII letters as A-labels."""
    labels, at = [], 0
    while at <= len(text):
        spelt = text[at : _RUN.match(text, at).end()]  # type: ignore[union-attr] # it matches nothing at all too
        labels.append(_unescape(spelt) if spelt.isascii() else _a_label(spelt))
        at += len(spelt) + 1
    return labels


def _unescape(label: str) -> bytes:
    return _ESCAPE.sub(_octet, label.encode("ascii"))


def _octet(escape: re.Match[bytes]) -> bytes:
    digits, char = escape.groups()
    if char is not None:
        return bytes(char)
    if digits is None:
        raise NameRefused("backslash that begins no escape")
    if int(digits) > 255:
        raise NameRefused(f"escape \\{int(digits)} stands for no byte")
    return bytes([int(digits)])


def _a_label(label: str) -> bytes:
    """The A-label of a label written in non-ASCII letters."""
    if "\\" in label:
        raise NameRefused("escape in a label of non-ASCII letters")
    if _SURROGATE.search(label):
        raise NameRefused("half of a surrogate pair")
    try:
        return idna.alabel(_map_label(label))
    except UnicodeError as err:  # IDNAError is one
        raise NameRefused(f"no IDNA label ({idna_fault(err)})") from err


def _map_label(label: str) -> str:
    """A label as UTS 46 maps it, where that changes no more than case and canonical form.

    The mapping also turns look-alikes into ASCII (KELVIN SIGN, full-width letters), makes dots, and drops what is invisible.
    Each would make somebody else's name of this one: a repair, and refused.
    """
    if _FOREIGN_DOTS.search(label):
        raise NameRefused("non-ASCII dot")
    mapped = idna.uts46_remap(label, std3_rules=True)
    strange = [char for char in label if not char.isascii()]
    if any(re.search(r"[\x00-\x7f]", idna.uts46_remap(char, std3_rules=True)) for char in strange):
        raise NameRefused("non-ASCII look-alike of an ASCII letter")
    if _caseless(mapped) != _caseless(label):
        raise NameRefused("letter that stands for another one, or for none")
    return mapped


def _caseless(text: str) -> str:
    """Equal for texts that differ in case or canonical form alone (Unicode §3.13, D145)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def idna_fault(err: UnicodeError) -> str:
    """The rule that IDNA found broken, in words that cannot carry the hostile text."""
    code = err.code if isinstance(err, idna.IDNAError) else None
    return (code or "undecodable").replace("_", " ")
