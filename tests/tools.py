"""Programs that tests run outputs through, and what a test does without one."""

from __future__ import annotations

import os
import shutil

import pytest


def need_tool(name: str, package: str) -> str:
    """The path of a program; without it the test skips and names it, or fails where FEEDSVC_REQUIRE_TOOLS is set.

    Args:
        name: the program, as `scripts/test-tools` has it.
        package: the Debian package that brings it.
    """
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
    if found is None:
        pytest.skip(f"needs {name}, of the package {package}")
    return found
