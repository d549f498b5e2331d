"""What a reader takes when its provider is hostile or broken: answers are bounded, and what they become is bounded too."""

from __future__ import annotations

import subprocess
import sys

import pytest

from feedsvc import plugins
from tests.sources.pdns.room import AROUND


@pytest.mark.parametrize("provider", plugins.names("pdns"))
def test_a_hostile_answer_takes_about_ten_times_its_room_at_most(provider: str) -> None:
    assert provider in AROUND
    done = subprocess.run(
        [sys.executable, "-m", "tests.sources.pdns.room", provider, "2"], capture_output=True, text=True, check=True
    )
    assert float(done.stdout.split()[-1]) < 12, done.stdout
