"""Secrets come from the environment or from files, and are shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.conftest import Reading, Refusals

PDNS = '[[source]]\nname = "a"\nkind = "pdns"\nprovider = "cof"\n'


def test_a_secret_comes_from_the_environment_that_is_given(reading: Reading) -> None:
    secret = reading(PDNS + 'api_key_env = "KEY"', {"KEY": " s3cret\n"}).sources[0].secrets["api_key"]
    assert (secret.reveal(), secret.origin) == ("s3cret", "environment KEY")


def test_a_secret_comes_from_a_file_beside_the_configuration(reading: Reading, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret\r\n")
    secret = reading(PDNS + 'api_key_file = "key"').sources[0].secrets["api_key"]
    assert (secret.reveal(), secret.origin) == ("s3cret", f"file {tmp_path / 'key'}")


def test_settings_print_their_secrets_as_stars(reading: Reading) -> None:
    settings = reading(PDNS + 'api_key_env = "KEY"', {"KEY": "s3cret"})
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings.sources[0].secrets)
    assert f"{settings.sources[0].secrets['api_key']}" == "********"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('api_key_env = "KEY"', "environment variable KEY is not set"),
        ('api_key_env = "EMPTY"', "environment EMPTY is empty"),
        ('api_key_env = "BLANK"', "environment BLANK is empty"),
        ('api_key_env = "LINES"', "more than one line"),
        ('api_key_env = ""', "give the name of an environment variable"),
        ("api_key_env = 7", "give the name of an environment variable"),
        ('password_file = "absent"', "cannot read 'absent': no such file"),
        ('password_file = "empty"', "is empty"),
        ('password_file = "."', "cannot read '.'"),
        ('password_file = "binary"', "more than one line"),
        ('password_file = "large"', "too long for a secret"),
        ('password_file = "~/x"', "begins with ~"),
    ],
)
def test_a_secret_that_is_not_there_names_where_it_should_be(
    refusals: Refusals, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"s3cret\xff")
    (tmp_path / "large").write_bytes(b"s3cret" * 20_000)
    environ = {"EMPTY": "", "BLANK": " \n", "LINES": "s3cret\r\nX-Other: 1"}
    ((line, message),) = refusals(PDNS + text, environ)
    assert line == 5
    assert words in message
    assert "s3cret" not in message


@pytest.mark.parametrize("key", ["api_key", "username", "password"])
def test_a_secret_in_the_file_itself_is_refused_without_being_shown(refusals: Refusals, key: str) -> None:
    ((line, message),) = refusals(PDNS + f'{key} = "hunter2"')
    assert (line, "hunter2" in message) == (5, False)
    assert f"{key}_env" in message
    assert f"{key}_file" in message


def test_a_secret_where_the_name_of_its_variable_belongs_is_not_shown(refusals: Refusals) -> None:
    ((_, message),) = refusals(PDNS + 'api_key_env = "hunter-2"')
    assert "hunter" not in message


def test_two_places_for_one_secret_are_one_too_many(refusals: Refusals) -> None:
    assert refusals(PDNS + 'api_key_env = "KEY"\napi_key_file = "key"', {"KEY": "x"}) == [
        (6, "source.api_key_file: api_key_env stands on line 5 already; keep one of the two")
    ]


def test_secrets_of_all_sources_are_looked_for_at_once(refusals: Refusals) -> None:
    text = PDNS + 'api_key_env = "ONE"\n' + PDNS.replace('"a"', '"b"') + 'username_env = "TWO"\npassword_env = "THREE"\n'
    assert [line for line, _ in refusals(text)] == [5, 10, 11]
