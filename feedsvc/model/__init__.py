"""The only currency between stages: frozen values, no behaviour beyond reading themselves.

Words follow the Passive DNS Common Output Format (observation), STIX 2.1 (indicator, marking, confidence) and TAXII 2.1
(collection, date_added); our own (watch, match, finding, case, decision, delta) are defined in docs/glossary.md.
Nothing here reads a clock, a file or a network.
"""

from feedsvc.model.found import Change, Decision, Delta, Evidence, Finding, Match, SourceOutcome
from feedsvc.model.hunted import Hunt, Stretch
from feedsvc.model.published import Collection, ExportState, ListedName, Partner, Run, StixObject
from feedsvc.model.quotas import Account, Allowance, Learnt, Span, Spent
from feedsvc.model.seen import Batch, Cursor, End, Kind, Observation, Refused, Sighting
from feedsvc.model.watched import LabelPattern, NamePattern, StixHints, Watch
from feedsvc.model.words import Novelty, Outcome, Status, Tlp

__all__ = [
    "Account",
    "Allowance",
    "Batch",
    "Change",
    "Collection",
    "Cursor",
    "Decision",
    "Delta",
    "End",
    "Evidence",
    "ExportState",
    "Finding",
    "Hunt",
    "Kind",
    "LabelPattern",
    "Learnt",
    "ListedName",
    "Match",
    "NamePattern",
    "Novelty",
    "Observation",
    "Outcome",
    "Partner",
    "Refused",
    "Run",
    "Sighting",
    "SourceOutcome",
    "Span",
    "Spent",
    "Status",
    "StixHints",
    "StixObject",
    "Stretch",
    "Tlp",
    "Watch",
]
