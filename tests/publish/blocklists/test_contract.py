"""What every block list format promises, ours and those to come: one run over each plug-in and its sample folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc import plugins
from feedsvc.errors import PublishError
from feedsvc.publish import namesets
from feedsvc.publish.port import BlockListFormat
from tests.publish.making import HOSTILE, SERIAL, listed, meta, publishable_names

DATA = Path(__file__).parents[2] / "data" / "blocklists"
FORMATS = plugins.names("blocklists")

FOREIGN_LINES = (
    *(b"\n", b" \n", b"\xff\n", b"*.com\n", b"z.net.\r\n", b"evil.example.net bank.example.com\n"),
    *(b"0.0.0.0 a.example.net b.example.net\n", b"$INCLUDE /etc/passwd\n", b"$ORIGIN com.\n", b"x CNAME .\n"),
    b"zz.example.net CNAME rpz-passthru.\n",
)
"""Lines that a consumer would read as more than a listed name."""


def ready(name: str) -> BlockListFormat:
    """A format with its default settings."""
    module = plugins.load("blocklists", name)
    form: BlockListFormat = module.build(plugins.read_options(module, {}))
    return form


def rendered(form: BlockListFormat, names: list[str] | frozenset[str], serial: int = SERIAL) -> tuple[frozenset[str], bytes]:
    """The names that a format lists of these, and its file."""
    rows = namesets.build(form.names, listed(names), form.admits)
    return rows.names, b"".join(form.render(rows.listed, meta(serial)))


def test_the_formats_of_this_release_are_there() -> None:
    assert {"domains", "hosts", "rpz"} <= set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_its_sample_comes_out_as_the_sample_folder_has_it(name: str) -> None:
    names = (DATA / name / "listed.txt").read_text().splitlines()
    assert rendered(ready(name), names)[1] == (DATA / name / "expected").read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_it_has_a_manual_page(name: str) -> None:
    module = plugins.load("blocklists", name)
    manual = plugins.manual(module)
    for part in ("Read by:", "Import:", "Names: ", "Removal:", "Settings"):
        assert part in manual
    assert not plugins.summary(module).endswith(":")


@pytest.mark.parametrize("name", FORMATS)
@given(names=st.frozensets(publishable_names, max_size=25), serial=st.integers(1, 2**32 - 1))
def test_what_it_writes_it_reads_back(name: str, names: frozenset[str], serial: int) -> None:
    form = ready(name)
    wanted, body = rendered(form, names, serial)
    found, shown = form.read_back(body)
    assert found == wanted
    assert shown in {0, serial}
    assert shown or body == rendered(form, names, serial=1)[1]


@pytest.mark.parametrize("name", FORMATS)
@given(names=st.lists(publishable_names, max_size=25))
def test_the_order_of_the_names_changes_no_byte(name: str, names: list[str]) -> None:
    form = ready(name)
    assert rendered(form, names) == rendered(form, names[::-1])


@pytest.mark.parametrize("name", FORMATS)
@given(names=st.frozensets(publishable_names, max_size=25))
def test_its_text_is_ascii_with_lf_line_ends(name: str, names: frozenset[str]) -> None:
    body = rendered(ready(name), names)[1]
    assert set(body) <= {0x0A, *range(0x20, 0x7F)}
    assert not body or body.endswith(b"\n")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_a_hostile_name_becomes_no_line_even_when_the_gate_was_forgotten(name: str, hostile: str) -> None:
    with pytest.raises(PublishError):
        list(ready(name).render(listed([hostile]), meta()))


@pytest.mark.parametrize("name", FORMATS)
@given(names=st.frozensets(publishable_names, min_size=1, max_size=5), data=st.data())
def test_a_file_cut_anywhere_is_not_taken_for_the_whole(name: str, names: frozenset[str], data: st.DataObject) -> None:
    form = ready(name)
    wanted, body = rendered(form, names)
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    try:
        found = form.read_back(cut)[0]
    except ValueError:
        return
    assert found < wanted


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("line", FOREIGN_LINES, ids=ascii)
def test_a_line_that_is_not_ours_makes_a_file_unreadable(name: str, line: bytes) -> None:
    form = ready(name)
    body = rendered(form, ["example.net"])[1]
    for odd in (body + line, line + body):
        with pytest.raises(ValueError):  # noqa: PT011 - each format words it for itself
            form.read_back(odd)
