"""What errors say of themselves."""

import inspect

import pytest

from feedsvc import errors
from feedsvc.errors import ConfigError, Fault, FeedsvcError, SourceError, UsageError

OURS = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, Exception)]


@pytest.mark.parametrize("error", OURS, ids=lambda error: str(error.__name__))
def test_every_error_hangs_in_the_tree_that_the_docstring_draws(error: type[Exception]) -> None:
    assert issubclass(error, FeedsvcError)
    assert error.__name__ in (errors.__doc__ or "")


def test_faults_are_told_all_at_once_in_order_of_files_and_lines() -> None:
    faults = [Fault("rules/b.yaml", 3, "three"), Fault("feedsvc.toml", 12, "twelve"), Fault("feedsvc.toml", 2, "two")]
    refused = ConfigError(faults)
    assert str(refused) == "feedsvc.toml:2: two\nfeedsvc.toml:12: twelve\nrules/b.yaml:3: three"
    assert isinstance(refused, UsageError)


def test_a_fault_of_a_source_is_transient_unless_it_is_said_to_be_permanent() -> None:
    transient = SourceError("the answer broke off")
    assert (transient.permanent, transient.retry_after) == (False, None)
    assert SourceError("no such key", permanent=True, retry_after=30).permanent
