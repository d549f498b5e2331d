"""What the documents say is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from feedsvc.model import Novelty, Outcome, Status

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "exports").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages <= set(LINK.findall(index))


@pytest.mark.parametrize("word", [*Status, *Novelty, *Outcome], ids=str)
def test_the_glossary_explains_every_word_that_a_listing_shows(word: str) -> None:
    assert f"| `{word}` |" in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "word", ["watch", "netblock", "match", "finding", "case", "decision", "delta", "run", "cursor", "partner"]
)
def test_the_glossary_defines_our_own_words(word: str) -> None:
    defined = re.findall(r"^\*\*(.+?)\*\* - ", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert word in {part.strip() for words in defined for part in words.split(",")}
