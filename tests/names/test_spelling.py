"""One canonical spelling for every way to write a name, and a refusal for what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import NameRefused
from feedsvc.names import encode_labels, is_under, parse_name, split_labels
from feedsvc.names.spelling import decode_label

wire_label = st.binary(min_size=1, max_size=63)
wire_name = st.lists(wire_label, min_size=1, max_size=8).filter(lambda labels: sum(len(x) + 1 for x in labels) < 255)
host_label = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
host_name = st.lists(host_label, min_size=1, max_size=8).map(".".join)
# Text that is nearly a name: the letters that mean something in presentation format, and letters that fold to others.
near_name = st.text(alphabet='aZ09-_.\\ *"\n\x00ü\u212a\u0131\u3002\uff0e\u2100\u00ad\ud800\u0130\u1e9e', max_size=40)
any_text = st.one_of(st.text(max_size=300), near_name, host_name)


def lower(labels: list[bytes]) -> list[bytes]:
    return [label.lower() for label in labels]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param("k3xq.example.net", "k3xq.example.net", id="as it is"),
        pytest.param("K3XQ.Example.NET", "k3xq.example.net", id="case"),
        pytest.param("k3xq.example.net.", "k3xq.example.net", id="one final dot"),
        pytest.param("net", "net", id="one label"),
        pytest.param("_dmarc.-odd-.example.net", "_dmarc.-odd-.example.net", id="underscore and hyphens"),
        pytest.param("bücher.example.net", "xn--bcher-kva.example.net", id="U-label"),
        pytest.param("BÜCHER.example.net", "xn--bcher-kva.example.net", id="U-label in capitals"),
        pytest.param("bu\u0308cher.example.net", "xn--bcher-kva.example.net", id="decomposed U-label"),
        pytest.param("straße.example.net", "xn--strae-oqa.example.net", id="sharp s stays one letter"),
        pytest.param("ΣΑΣ.example.net", "xn--mxa9ab.example.net", id="final sigma"),
        pytest.param("кремль.example.net", "xn--e1ajeds9e.example.net", id="Cyrillic"),
        pytest.param("ke\u0131.example.net", "xn--ke-ipa.example.net", id="dotless i is a letter of its own"),
        pytest.param("XN--BCHER-KVA.example.net", "xn--bcher-kva.example.net", id="A-label in capitals"),
        pytest.param(r"\107\075.example.net", "kk.example.net", id="needless escapes, capital"),
        pytest.param(r"a\.b.example.net", r"a\.b.example.net", id="dot inside a label"),
        pytest.param(r"a\\.example.net", r"a\\.example.net", id="backslash at the end of a label"),
        pytest.param(r"a\@b.example.net", r"a\064b.example.net", id="escaped sign"),
        pytest.param("a b.example.net", r"a\032b.example.net", id="blank"),
        pytest.param("a\nb.example.net", r"a\010b.example.net", id="newline"),
        pytest.param("*.example.net", r"\042.example.net", id="wildcard"),
        pytest.param(r"b\195\188cher.example.net", r"b\195\188cher.example.net", id="raw UTF-8 is no U-label"),
    ],
)
def test_a_name_has_one_canonical_text(text: str, canonical: str) -> None:
    assert parse_name(text) == canonical


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "no label: empty, or the root", id="empty"),
        pytest.param(".", "no label: empty, or the root", id="root"),
        pytest.param("..", "no label: empty, or the root", id="two dots"),
        pytest.param(".example.net", "empty label", id="leading dot"),
        pytest.param("a..example.net", "empty label", id="empty label"),
        pytest.param("example.net..", "empty label", id="two final dots"),
        pytest.param("a" * 64 + ".example.net", "label of 64 octets, 63 is the limit", id="64-octet label"),
        pytest.param(".".join(["a" * 63] * 3 + ["b" * 62]), "name of 256 octets, 255 is the limit", id="254 characters"),
        pytest.param("a" * 100_000, "longer than any name can be written", id="huge"),
        pytest.param("a\\", "backslash that begins no escape", id="backslash at the end"),
        pytest.param(r"a\3.example.net", "backslash that begins no escape", id="short escape"),
        pytest.param(r"a\256.example.net", r"escape \256 stands for no byte", id="escape above 255"),
        pytest.param("a\\\u0663\u0663\u0663.example.net", "escape in a label of non-ASCII letters", id="Arabic digits"),
        pytest.param("a\\ü.example.net", "escape in a label of non-ASCII letters", id="escaped non-ASCII"),
        pytest.param("ü\\.b.example.net", "escape in a label of non-ASCII letters", id="escape after a letter"),
        pytest.param("\\195\\188ü.example.net", "escape in a label of non-ASCII letters", id="escape before a letter"),
        pytest.param("\ud800.example.net", "half of a surrogate pair", id="surrogate"),
        pytest.param("\u212aey.example.net", "non-ASCII look-alike of an ASCII letter", id="KELVIN SIGN"),
        pytest.param("ü\u212a.example.net", "non-ASCII look-alike of an ASCII letter", id="KELVIN SIGN beside a letter"),
        pytest.param("\uff45vil.example.net", "non-ASCII look-alike of an ASCII letter", id="full-width letter"),
        pytest.param("\u0130stanbul.example.net", "non-ASCII look-alike of an ASCII letter", id="capital dotted i"),
        pytest.param("\ufb01sh.example.net", "non-ASCII look-alike of an ASCII letter", id="ligature"),
        pytest.param("pa\u017fs.example.net", "non-ASCII look-alike of an ASCII letter", id="long s"),
        pytest.param("a\u3002example.net", "non-ASCII dot", id="ideographic full stop"),
        pytest.param("a\uff0eexample.net", "non-ASCII dot", id="full-width full stop"),
        pytest.param("a\uff61example.net", "non-ASCII dot", id="half-width full stop"),
        pytest.param("\u2100.example.net", "no IDNA label (uts46 std3)", id="account of, which holds a slash"),
        pytest.param("exa\u00admple.net", "letter that stands for another one, or for none", id="soft hyphen"),
        pytest.param("ü\u00ad.example.net", "letter that stands for another one, or for none", id="soft hyphen, letter"),
        pytest.param("\U0001f4a9.example.net", "no IDNA label (disallowed codepoint)", id="emoji"),
        pytest.param("ab--ü.example.net", "no IDNA label (hyphen 3 4)", id="reserved hyphens in a U-label"),
        pytest.param("ü" * 60 + ".example.net", "no IDNA label (label too long)", id="U-label too long as A-label"),
        pytest.param("אb.example.net", "no IDNA label (bidi rule 2)", id="two directions in a label"),
    ],
)
def test_what_is_no_name_is_refused_and_says_why(text: str, reason: str) -> None:
    with pytest.raises(NameRefused) as refused:
        parse_name(text)
    assert str(refused.value) == reason


def test_a_name_of_253_characters_is_the_longest() -> None:
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert len(longest) == 253
    assert parse_name(longest + ".") == longest


@given(any_text)
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        canonical = parse_name(text)
    except NameRefused:
        return
    assert parse_name(canonical) == canonical
    assert canonical.isascii()
    assert canonical.isprintable()
    assert " " not in canonical


@given(host_name)
def test_case_and_one_final_dot_do_not_matter(text: str) -> None:
    assert parse_name(text) == parse_name(text.swapcase()) == parse_name(text + ".") == text.lower()


@given(wire_name)
def test_labels_come_back_as_they_were_encoded(labels: list[bytes]) -> None:
    name = encode_labels(labels)
    assert [decode_label(label) for label in split_labels(name)] == lower(labels)
    assert parse_name(name) == name


@given(wire_name)
def test_every_octet_may_be_written_as_an_escape(labels: list[bytes]) -> None:
    escaped = ".".join("".join(f"\\{byte:03d}" for byte in label) for label in labels)
    assert parse_name(escaped) == encode_labels(labels)


@given(wire_name, wire_name)
def test_two_names_have_one_text_exactly_when_their_labels_agree_but_for_case(left: list[bytes], right: list[bytes]) -> None:
    assert (encode_labels(left) == encode_labels(right)) == (lower(left) == lower(right))


@given(wire_name, st.integers(min_value=1, max_value=8))
def test_a_name_is_under_exactly_the_names_that_its_last_labels_make(labels: list[bytes], count: int) -> None:
    name = encode_labels(labels)
    assert is_under(name, encode_labels(labels[-count:]))


@given(wire_name, wire_name)
def test_under_is_decided_label_by_label(labels: list[bytes], parent: list[bytes]) -> None:
    held = lower(labels)[-len(parent) :] == lower(parent)
    assert is_under(encode_labels(labels), encode_labels(parent)) == held


@pytest.mark.parametrize(
    ("name", "parent", "held"),
    [
        ("example.net", "example.net", True),
        ("k3xq.example.net", "example.net", True),
        ("badexample.net", "example.net", False),
        ("example.net", "k3xq.example.net", False),
        (r"evil\.example.net", "example.net", False),
        (r"evil\\.example.net", "example.net", True),
        (r"evil\\\.example.net", "example.net", False),
    ],
)
def test_an_escaped_dot_ends_no_label(name: str, parent: str, held: bool) -> None:
    assert is_under(name, parent) is held


@pytest.mark.parametrize("labels", [[], [b""], [b"a", b""], [b"", b"a"], [b"a" * 64], [b"a" * 63] * 4])
def test_wire_labels_that_make_no_name_are_refused(labels: list[bytes]) -> None:
    with pytest.raises(NameRefused):
        encode_labels(labels)
