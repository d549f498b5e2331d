"""Rules are read whole or refused whole: every fault of every file, with its line and what to do."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from feedsvc.errors import ConfigError
from feedsvc.model import LabelPattern, NamePattern, StixHints, Tlp, Watch
from feedsvc.names import parse_netblock
from feedsvc.watches.rules import load_rules
from tests.watches.conftest import LEAST, Refusals, Watching

RE2 = "https://github.com/google/re2/wiki/Syntax"
RULES = Path(__file__).parents[2] / "rules"

EVERYTHING = """\
id: every-key-1
title: Every key
description: |
  Two
  lines.
references: [https://example.org/a, a book]
author: somebody
netblocks:
  - 198.51.100.0/24
  - 203.0.113.10-203.0.113.20
  - 2001:db8::/48
names:
  label: {position: registrable, length: {min: 3, max: 5}, alphabet: "A-Fx0-9_-"}
  regex: "^[a-f]+"
  under: [example.NET., example.org]
  not_under: [www.example.net]
  siblings: random
baseline: ignore
publish: auto
block: registered-domain
valid_for: 30d
tlp: amber+strict
confidence: 0
stix: {malware: Some Malware, kill_chain_phase: command-and-control, attack: [T1568, T1071.001]}
"""


def test_every_key_is_read(watching: Watching) -> None:
    watch = watching(EVERYTHING)
    assert watch == Watch(
        id="every-key-1",
        title="Every key",
        description="Two\nlines.",
        references=("https://example.org/a", "a book"),
        author="somebody",
        netblocks=tuple(parse_netblock(text) for text in ("198.51.100.0/24", "203.0.113.10-203.0.113.20", "2001:db8::/48")),
        names=NamePattern(
            label=LabelPattern("registrable", 3, 5, frozenset("abcdefx0123456789_-")),
            regex="^[a-f]+",
            under=("example.net", "example.org"),
            not_under=("www.example.net",),
            siblings="random",
        ),
        baseline="ignore",
        publish="auto",
        block="registered-domain",
        valid_for=timedelta(days=30),
        tlp=Tlp.AMBER_STRICT,
        confidence=0,
        stix=StixHints("Some Malware", "command-and-control", ("T1568", "T1071.001")),
        fingerprint=watch.fingerprint,
    )


def test_the_shortest_rule_has_the_defaults_of_the_model(watching: Watching) -> None:
    watch = watching(LEAST)
    assert watch == Watch(id="a", title="t", netblocks=(parse_netblock("198.51.100.0/24"),), fingerprint=watch.fingerprint)


def test_rules_come_sorted_by_id_whatever_their_files_are_called(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text(LEAST.replace("id: a", "id: b"))
    (tmp_path / "2.yaml").write_text(LEAST)
    (tmp_path / ".hidden.yaml").write_text("no rule")
    (tmp_path / "README.md").write_text("no rule")
    (tmp_path / "folder").mkdir()
    assert [watch.id for watch in load_rules(tmp_path)] == ["a", "b"]


def test_the_rules_that_come_with_feedsvc_are_right() -> None:
    jar = {watch.id: watch for watch in load_rules(RULES)}["jar-callbacks"]
    assert jar.netblocks == (parse_netblock("198.51.100.0/24"),)
    assert jar.names is not None
    assert (jar.names.siblings, jar.baseline, jar.publish, jar.block, jar.tlp) == (
        "random",
        "hold",
        "review",
        "name",
        Tlp.GREEN,
    )
    assert "k3xq.example.net" in jar.matches
    assert "www.example.net" in jar.misses


def test_five_faults_in_three_files_are_five_lines(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("id: One\ntitle: t\nnetblocks:\n  - 198.51.100.7/24\n")
    (tmp_path / "three.yaml").write_text(LEAST + "tpl: green\n")
    (tmp_path / "two.yaml").write_text(LEAST + "confidence: high\nnames: {regex: '(?=x)'}\n")
    with pytest.raises(ConfigError) as raised:
        load_rules(tmp_path)
    assert [str(fault).removeprefix(f"{tmp_path}/") for fault in raised.value.faults] == [
        "one.yaml:1: id: 'One' is no kebab-case name; use up to 64 of a-z and 0-9, single hyphens between",
        "one.yaml:4: netblocks: '198.51.100.7/24' is refused: host bits set; the netblock around it is 198.51.100.0/24",
        "three.yaml:4: unknown key 'tpl'; did you mean 'tlp'?",
        f"two.yaml:1: id: 'a' is the id of {tmp_path}/three.yaml:1 already; give each rule its own",
        "two.yaml:4: confidence: give a whole number from 0 to 100, not 'high'",
        f"two.yaml:5: names.regex: '(?=x)' is no pattern of RE2: invalid perl operator: (?=; see {RE2}",
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        # The file.
        ("", 1, "no rule in this file"),
        ("- id: a\n", 1, "not a list"),
        ("just text\n", 1, "not 'just text'"),
        ("{}\n", 1, "key 'id' is missing"),
        # Keys.
        (LEAST + "id: b\n", 4, "stands on line 1 already"),
        (LEAST + "nmaes: {}\n", 4, "did you mean 'names'?"),
        (LEAST + "names: {label: {lenght: 4}}\n", 4, "names.label: unknown key 'lenght'; did you mean 'length'?"),
        (LEAST + "no: way\n", 4, "unknown key 'no'"),
        (LEAST + "<<: {tlp: red}\n", 4, "unknown key '<<'"),
        ("id: a\nnetblocks: [198.51.100.0/24]\n", 1, "key 'title' is missing"),
        (LEAST + "author:\n", 4, "author: give text of 1 to 200 characters on one line, not nothing"),
        # Identity.
        *(
            (LEAST.replace("id: a", f"id: {text}"), 1, "id: ")
            for text in ("A", "a_b", "-a", "a--b", "a-", "'a/b'", "'..'", "7", "a" * 65)
        ),
        (LEAST.replace("title: t", "title: ''"), 2, "title: give text"),
        (LEAST.replace("title: t", 'title: "a\\e[2Jb"'), 2, "U+001B"),
        (LEAST.replace("title: t", 'title: "a\\ud800b"'), 2, "U+D800"),
        # Netblocks.
        (LEAST.replace("[198.51.100.0/24]", "[]"), 3, "not an empty list"),
        (LEAST.replace("[198.51.100.0/24]", "198.51.100.0/24"), 3, "give a list of 1 or more"),
        (LEAST.replace("[198.51.100.0/24]", "[0.0.0.0/0]"), 3, "wider than a /8 of IPv4"),
        (LEAST.replace("[198.51.100.0/24]", "[10.0.0.0-11.0.0.0]"), 3, "wider than a /8 of IPv4"),
        (LEAST.replace("[198.51.100.0/24]", "['::/0']"), 3, "wider than a /8 of IPv4 or a /19 of IPv6"),
        (LEAST.replace("[198.51.100.0/24]", "[198.51.100.0/33]"), 3, "prefix length"),
        (LEAST.replace("[198.51.100.0/24]", "[198.51.100.9-198.51.100.1]"), 3, "first address lies above its last"),
        (LEAST.replace("[198.51.100.0/24]", "[198.51.100.9-2001:db8::]"), 3, "one IP version to the other"),
        (LEAST.replace("[198.51.100.0/24]", "[example.net]"), 3, "no IP address"),
        (LEAST.replace("[198.51.100.0/24]", "[198.51]"), 3, "not 198.51"),
        (LEAST.replace("[198.51.100.0/24]", "\n  - 198.51.100.0/24\n  - 198.51.100.0/24"), 5, "stands on line 4 already"),
        # Names.
        (LEAST + "names: {}\n", 4, "names: says nothing"),
        (LEAST + "names:\n", 4, "names: give a table"),
        (LEAST + "names: {label: {position: leftmost}}\n", 4, "give length or alphabet"),
        (LEAST + "names: {label: {position: first, length: 4}}\n", 4, "leftmost, registrable, any"),
        (LEAST + "names: {label: {length: 0}}\n", 4, "from 1 to 63, not 0"),
        (LEAST + "names: {label: {length: 64}}\n", 4, "not 64"),
        (LEAST + "names: {label: {length: '4'}}\n", 4, "not '4'"),
        (LEAST + "names: {label: {length: {}}}\n", 4, "says nothing"),
        (LEAST + "names:\n  label:\n    length:\n      min: 5\n      max: 4\n", 8, "4 is less than min, 5"),
        (LEAST + "names: {label: {alphabet: '[a-z]'}}\n", 4, "without brackets"),
        (LEAST + "names: {label: {alphabet: 'z-a'}}\n", 4, "range 'z-a'"),
        (LEAST + "names: {label: {alphabet: '0-z'}}\n", 4, "range '0-z'"),
        (LEAST + "names: {label: {alphabet: 'é'}}\n", 4, "is no alphabet"),
        (LEAST + "names: {label: {alphabet: 'a.b'}}\n", 4, "is no alphabet"),
        (LEAST + "names: {regex: '('}\n", 4, "no pattern of RE2"),
        (LEAST + "names: {regex: '(a)\\1'}\n", 4, "no pattern of RE2"),
        (LEAST + "names: {regex: ''}\n", 4, "give a regular expression"),
        (LEAST + "names: {regex: '" + "a" * 1001 + "'}\n", 4, "over 1000 characters"),
        (LEAST + "names: {under: []}\n", 4, "not an empty list"),
        (LEAST + "names: {under: example.net}\n", 4, "give a list of 1 or more"),
        (LEAST + "names: {under: [.example.net]}\n", 4, "without a dot in front"),
        (LEAST + "names: {under: ['*.example.net']}\n", 4, "for all below it"),
        (LEAST + "names: {not_under: [a..b]}\n", 4, "empty label"),
        (LEAST + "names: {siblings: true}\n", 4, "siblings: give random, not true"),
        # What becomes of findings.
        (LEAST + "baseline: keep\n", 4, "hold, publish, ignore"),
        (LEAST + "publish: yes\n", 4, "review, auto"),
        (LEAST + "block: domain\n", 4, "name, registered-domain"),
        (LEAST + "valid_for: 45\n", 4, "give a duration"),
        (LEAST + "valid_for: 0d\n", 4, "no time at all"),
        (LEAST + "tlp: white\n", 4, "clear, green, amber, amber+strict, red"),
        (LEAST + "confidence: 101\n", 4, "not 101"),
        (LEAST + "confidence: 70.0\n", 4, "not 70.0"),
        (LEAST + "confidence: true\n", 4, "not true"),
        (LEAST + "stix: {attack: T1568}\n", 4, "give a list"),
        (LEAST + "stix: {attack: [t1568]}\n", 4, "no technique of ATT&CK"),
        (LEAST + "stix: {attack: [T1568, T1071.01]}\n", 4, "no technique of ATT&CK"),
        (LEAST + "stix: {kill_chain_phase: Command and Control}\n", 4, "no kebab-case name"),
        # Examples.
        (LEAST + "matches: [a..b]\n", 4, "is no name: empty label"),
        (LEAST + "matches: [x.example.net, x.example.net]\n", 4, "already"),
        (LEAST + "misses: [x.example.net]\n", 4, "fits, as every name does in a rule without names"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_line(refusals: Refusals, text: str, line: int, words: str) -> None:
    faults = refusals(text)
    assert [fault for fault in faults if fault[0] == line and words in fault[1]], faults


EXAMPLES = """\
names:
  label: {length: 4}
matches:
  - k3xq.example.net
  - www.example.net
misses: [www.a.net,
  mail.a.net]
"""


def test_examples_are_tried_with_the_matcher_and_told_by_their_own_lines(refusals: Refusals) -> None:
    assert refusals(LEAST + EXAMPLES) == [
        (8, "matches: 'www.example.net' does not fit names; correct the example or names"),
        (10, "misses: 'mail.a.net' fits; correct the example or names"),
    ]


def test_examples_are_tried_though_other_keys_are_at_fault(refusals: Refusals) -> None:
    text = LEAST + "names: {under: [example.net]}\nmatches: [x.example.org]\ntlp: white\n"
    assert [line for line, _ in refusals(text)] == [5, 6]


def test_examples_are_not_tried_against_a_pattern_that_is_at_fault(refusals: Refusals) -> None:
    assert [line for line, _ in refusals(LEAST + "names: {regex: '('}\nmisses: [x.example.org]\n")] == [4]


def test_examples_may_be_spelt_as_people_write_names(watching: Watching) -> None:
    assert watching(LEAST + "matches: [K3XQ.Example.NET., bücher.example]\n").matches == (
        "k3xq.example.net",
        "xn--bcher-kva.example",
    )


def test_private_and_loopback_netblocks_are_watched_when_asked_for(watching: Watching) -> None:
    watch = watching(LEAST.replace("[198.51.100.0/24]", "[10.0.0.0/8, 127.0.0.1, 'fd00::/19']"))
    assert [str(block) for block in watch.netblocks] == ["10.0.0.0/8", "127.0.0.1/32", "fd00::/19"]


def test_one_id_in_three_files_is_a_fault_of_the_later_two(tmp_path: Path) -> None:
    for name in ("x.yaml", "y.yaml", "z.yaml"):
        (tmp_path / name).write_text(LEAST)
    with pytest.raises(ConfigError) as raised:
        load_rules(tmp_path)
    assert [(Path(fault.file).name, fault.line) for fault in raised.value.faults] == [("y.yaml", 1), ("z.yaml", 1)]


# -- folders -----------------------------------------------------------------------------------------------------------


def test_a_folder_without_rules_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ConfigError) as raised:
        load_rules(tmp_path)
    assert [str(fault) for fault in raised.value.faults] == [
        f"{tmp_path}:0: no rule here; write one as NAME.yaml, or run `feedsvc init DIR` for a first one"
    ]


def test_a_folder_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"absent:0: no folder of rules \(no such file or directory\); run `feedsvc init DIR`"
    ):
        load_rules(tmp_path / "absent")


@pytest.mark.parametrize("name", ["b.yml", "b.YAML"])
def test_a_rule_that_would_not_be_read_is_no_rule_to_overlook(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.yaml").write_text(LEAST)
    (tmp_path / name).write_text(LEAST)
    with pytest.raises(ConfigError, match=rf"{name}:0: only files in \.yaml are read; rename it to b\.yaml"):
        load_rules(tmp_path)


def test_what_is_no_file_is_told_and_never_waited_for(tmp_path: Path) -> None:
    (tmp_path / "dangling.yaml").symlink_to(tmp_path / "absent")
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError) as raised:
        load_rules(tmp_path)
    assert [Path(fault.file).name for fault in raised.value.faults] == ["dangling.yaml", "folder.yaml", "pipe.yaml"]


def test_a_file_that_the_system_does_not_give_is_told_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("/proc/self/mem")
    with pytest.raises(ConfigError, match=r"a\.yaml:0: cannot be read: input/output error"):
        load_rules(tmp_path)


# -- fingerprints ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "netblocks: [198.51.100.0/25]",
        "netblocks: [198.51.100.0/24, 203.0.113.0/24]",
        "names: {label: {length: 5}}",
        "names: {label: {length: 4, alphabet: a-z}}",
        "names: {label: {length: 4, position: any}}",
        "names: {label: {length: 4}, siblings: random}",
        "names: {label: {length: 4}, under: [example.net]}",
        "names: {label: {length: 4}, not_under: [example.net]}",
        "names: {label: {length: 4}, regex: a}",
    ],
)
def test_a_fingerprint_changes_with_what_is_watched(watching: Watching, change: str) -> None:
    rest = "" if change.startswith("names") else "\nnames: {label: {length: 4}}"
    before = watching(LEAST + "names: {label: {length: 4}}\n").fingerprint
    after = watching(
        "\n".join(line for line in LEAST.splitlines() if not change.startswith(line[:9])) + f"\n{change}{rest}\n"
    )
    assert after.fingerprint != before


def test_a_fingerprint_changes_when_names_are_no_longer_asked_for(watching: Watching) -> None:
    assert watching(LEAST + "names: {siblings: random}\n").fingerprint != watching(LEAST).fingerprint


ONE = """\
id: a
title: t
netblocks: [198.51.100.0/24, 203.0.113.0-203.0.113.255]
names: {label: {alphabet: a-c, length: 4}, under: [a.net, b.net]}
"""

THE_SAME = """\
id: b
title: u
netblocks: [203.0.113.0/24, 198.51.100.0/24]
names:
  under: [B.net, a.net.]
  label:
    length: {max: 4, min: 4}
    alphabet: cba
    position: leftmost
tlp: red
confidence: 1
publish: auto
description: other
matches: [abca.a.net]
"""


def test_a_fingerprint_keeps_through_everything_else(watching: Watching) -> None:
    assert watching(ONE).fingerprint == watching(THE_SAME).fingerprint


def test_a_fingerprint_stays_the_same_from_version_to_version(watching: Watching) -> None:
    # Stored with each baseline: were it to change with an upgrade, every watch would begin anew.
    assert (
        watching(LEAST + "names: {label: {length: 4, alphabet: a-z0-9}, siblings: random}\n").fingerprint
        == "4b22f65fb28e5bdf"
    )
