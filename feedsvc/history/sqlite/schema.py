"""Every table, index and trigger, and the migrations that lead there.

A change is a new migration at the end, named by its number, and `SCHEMA` one higher; what stands is never edited. Each
index says which question it answers, each column that may be null says when it is.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

APPLICATION_ID = 0x66656564  # "feed": tells our files from those of other programs
SCHEMA = 3  # as `user_version`: the number of the last migration

MIGRATIONS = Migrations("feedsvc")

_RUNS = """
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    job TEXT NOT NULL,
    window INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,  -- null while it runs, and after a crash until the job's next run begins
    UNIQUE (job, window)  -- one run a window; Runs.last
) STRICT;

CREATE INDEX run_started_at ON run (started_at);  -- Runs.between

CREATE INDEX run_unended ON run (job) WHERE ended_at IS NULL;  -- Runs.begin looks for what a crash left

CREATE TABLE outcome (
    run INTEGER NOT NULL REFERENCES run,
    position INTEGER NOT NULL,  -- the order in which they were given
    source TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX outcome_source ON outcome (source, run);  -- Runs.latest_outcomes

CREATE TABLE refusal (
    run INTEGER NOT NULL REFERENCES run,
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL,
    sample TEXT NOT NULL,
    PRIMARY KEY (run, source, reason)
) STRICT, WITHOUT ROWID;
"""

_FACTS = """
CREATE TABLE cursor (
    source TEXT NOT NULL,
    scope TEXT NOT NULL,
    position TEXT NOT NULL,
    moved_at INTEGER NOT NULL,
    PRIMARY KEY (source, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE mark (
    source TEXT NOT NULL,
    netblock TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (source, netblock)
) STRICT, WITHOUT ROWID;

CREATE TABLE baseline (
    watch TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    source TEXT NOT NULL,
    netblock TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (watch, fingerprint, source, netblock)
) STRICT, WITHOUT ROWID;

-- An observation is (rrname, rrtype, rdata); each source that gave it has a row. The address comes first in the key because
-- a poll brings all names of one netblock: its rows lie side by side, so that storing what is known touches as few pages
-- among ten million rows as among ten thousand. Ordered by name the same poll took five times as long.
CREATE TABLE evidence (
    rdata TEXT NOT NULL,
    rrname TEXT NOT NULL,
    rrtype TEXT NOT NULL,
    source TEXT NOT NULL,
    time_first INTEGER,  -- these four: seconds; null when the source does not give it
    time_last INTEGER,
    zone_time_first INTEGER,
    zone_time_last INTEGER,
    count INTEGER,  -- null when the source does not count
    seen_first INTEGER NOT NULL,
    seen_last INTEGER NOT NULL,
    PRIMARY KEY (rdata, rrname, rrtype, source)
) STRICT, WITHOUT ROWID;

CREATE INDEX evidence_rrname ON evidence (rrname);  -- Facts.name_facts, Facts.evidence

-- Registered domains under which a name was ever seen, and since when; Facts.name_facts asks for those of its names.
CREATE TABLE domain (
    name TEXT PRIMARY KEY,
    seen_first INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Fires for new rows alone, an upsert that finds its row is an update: what is known costs nothing here. The function is
-- feedsvc.names.registered_domain; a name without one gives null, which OR IGNORE passes over.
CREATE TRIGGER evidence_is_new AFTER INSERT ON evidence BEGIN
    INSERT OR IGNORE INTO domain (name, seen_first) VALUES (registered_domain(NEW.rrname), NEW.seen_first);
END;

CREATE TABLE sighting (
    rrname TEXT NOT NULL,
    client TEXT NOT NULL,
    source TEXT NOT NULL,
    time_first INTEGER NOT NULL,  -- seconds, as time_last
    time_last INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (rrname, client, source)
) STRICT, WITHOUT ROWID;
"""

_FINDINGS = """
CREATE TABLE finding (
    watch TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    novelty TEXT NOT NULL,
    reason TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    provider_first_seen INTEGER,  -- null when no source gives times
    netblock TEXT NOT NULL,
    rdata TEXT NOT NULL,
    sources TEXT NOT NULL,
    confidence INTEGER NOT NULL,
    "case" TEXT NOT NULL,
    tlp INTEGER NOT NULL,
    episode INTEGER NOT NULL,
    valid_until INTEGER,  -- null: never expires
    published_at INTEGER,  -- null before the first publication
    PRIMARY KEY (watch, name)
) STRICT;

CREATE INDEX finding_name ON finding (name);  -- Findings.named

CREATE INDEX finding_status ON finding (status, watch, "case", name);  -- Findings.with_status, Findings.counts

CREATE INDEX finding_expiring ON finding (watch, valid_until) WHERE status = 'published';  -- Findings.expiring

-- Findings.listed: holds all that a list shows, in the list's order.
CREATE INDEX finding_listed ON finding (name, watch, confidence, first_seen, valid_until, tlp, status)
    WHERE status = 'published';

CREATE TABLE decision (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    verb TEXT NOT NULL,
    watch TEXT NOT NULL,
    name TEXT NOT NULL,
    before TEXT,  -- null when it made the finding
    after TEXT NOT NULL,
    reason TEXT NOT NULL,
    undoes INTEGER REFERENCES decision,  -- null unless it takes another one back
    FOREIGN KEY (watch, name) REFERENCES finding
) STRICT;

CREATE INDEX decision_name ON decision (name);  -- Findings.decisions

CREATE INDEX decision_at ON decision (at);  -- Findings.decided_between

CREATE TRIGGER decision_is_never_changed BEFORE UPDATE ON decision BEGIN
    SELECT RAISE(ABORT, 'decisions are appended, never changed');
END;

CREATE TRIGGER decision_is_never_removed BEFORE DELETE ON decision BEGIN
    SELECT RAISE(ABORT, 'decisions are appended, never removed');
END;
"""

_FEED = """
CREATE TABLE collection (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    high_water INTEGER NOT NULL DEFAULT 0  -- the latest date_added ever given; outlives the rows that had it
) STRICT;

CREATE TABLE collection_alias (
    alias TEXT PRIMARY KEY,
    id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stix_object (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    version TEXT NOT NULL,
    version_at INTEGER NOT NULL,  -- `version` as a moment: texts of unequal precision do not sort by time
    type TEXT NOT NULL,
    tlp INTEGER NOT NULL,
    watch TEXT,  -- null, as name, for identity and markings
    name TEXT,
    revoked INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (id, version)  -- Feed.current, and what Feed.add and the pages look up
) STRICT;

CREATE INDEX stix_object_watch ON stix_object (watch, tlp) WHERE watch IS NOT NULL;  -- Feed.missing

CREATE TRIGGER stix_object_is_never_changed BEFORE UPDATE ON stix_object BEGIN
    SELECT RAISE(ABORT, 'a published version never changes');
END;

-- What stands in a collection, in the order in which TAXII serves it.
CREATE TABLE member (
    collection INTEGER NOT NULL REFERENCES collection,
    date_added INTEGER NOT NULL,
    object INTEGER NOT NULL REFERENCES stix_object,
    type TEXT NOT NULL,  -- the object's, as tlp
    tlp INTEGER NOT NULL,
    superseded INTEGER NOT NULL DEFAULT 9,  -- the lowest tlp of a newer version in this collection; 9: there is none
    PRIMARY KEY (collection, date_added)  -- pages of all, of first and of exact versions
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX member_object ON member (object, collection);  -- Feed.add, Feed.has, Feed.missing, pages of ids

-- Pages of newest versions, one index a clearance: just the rows that a reader so cleared gets, so that a page costs the
-- same wherever it begins and however many versions or closed rows lie between. They hold all that a page asks of a member.
CREATE INDEX member_newest_0 ON member (collection, date_added, object, type, tlp, superseded)
    WHERE tlp <= 0 AND superseded > 0;

CREATE INDEX member_newest_1 ON member (collection, date_added, object, type, tlp, superseded)
    WHERE tlp <= 1 AND superseded > 1;

CREATE INDEX member_newest_2 ON member (collection, date_added, object, type, tlp, superseded)
    WHERE tlp <= 2 AND superseded > 2;

CREATE INDEX member_newest_3 ON member (collection, date_added, object, type, tlp, superseded)
    WHERE tlp <= 3 AND superseded > 3;

CREATE INDEX member_newest_4 ON member (collection, date_added, object, type, tlp, superseded)
    WHERE tlp <= 4 AND superseded > 4;
"""

_ACCESS = """
CREATE TABLE partner (
    name TEXT PRIMARY KEY,
    token_sha256 TEXT NOT NULL UNIQUE,  -- Partners.by_token
    collections TEXT NOT NULL,
    exports TEXT NOT NULL,
    max_tlp INTEGER NOT NULL,
    added_at INTEGER,  -- null when nobody said
    last_fetch INTEGER  -- null before the first
) STRICT;

CREATE TABLE export (
    name TEXT PRIMARY KEY,
    format TEXT NOT NULL,
    count INTEGER NOT NULL,
    serial INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    held TEXT NOT NULL
) STRICT;

CREATE TABLE note (
    key TEXT PRIMARY KEY,
    text TEXT NOT NULL
) STRICT;
"""

# The columns come last in their rows: to add them touches no row, however many there are.
_EVIDENCE_OF_SCHEMA_2 = """
ALTER TABLE evidence ADD COLUMN tlp INTEGER NOT NULL DEFAULT 0;  -- how far its source lets it be passed on

ALTER TABLE evidence ADD COLUMN chain TEXT NOT NULL DEFAULT '';  -- CNAMEs, canonical names with spaces between them

ALTER TABLE evidence ADD COLUMN sensor_id TEXT;  -- null when the source does not say
"""

_FINDINGS_OF_SCHEMA_2 = """
CREATE INDEX finding_netblock ON finding (netblock, last_seen);  -- Findings.active

CREATE INDEX finding_newest ON finding (status, first_seen DESC, watch, name);  -- Findings.recent
"""

_QUOTAS = """
-- What was spent with each key of each provider; the key itself is nowhere.
CREATE TABLE quota_account (
    id TEXT PRIMARY KEY,
    closed_until INTEGER,  -- null: nothing ever closed it
    closed_why TEXT NOT NULL,
    refused_at INTEGER,  -- null unless the last refusal was of a quota
    learnt_at INTEGER  -- null before the provider first told its quotas
) STRICT, WITHOUT ROWID;

CREATE TABLE quota_span (
    account TEXT NOT NULL REFERENCES quota_account,
    span TEXT NOT NULL,
    began INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    "limit" INTEGER,  -- these three: null when the provider did not say it
    "left" INTEGER,
    resets_at INTEGER,
    before INTEGER NOT NULL,  -- calls of the span before this one
    length INTEGER NOT NULL,  -- of a burst, in microseconds; 0 when the provider did not say it
    PRIMARY KEY (account, span)
) STRICT, WITHOUT ROWID;

-- Calls that a burst still counts, and the last ones in any case: few rows, of minutes.
CREATE TABLE quota_call (
    account TEXT NOT NULL REFERENCES quota_account,
    at INTEGER NOT NULL,
    calls INTEGER NOT NULL,  -- made at this very moment
    PRIMARY KEY (account, at)
) STRICT, WITHOUT ROWID;
"""


# A client by a name is one row for each way and program that it asked by, and not one for each file: there is one for each
# hour, and what is to be found again stands in `log`. Moved as a whole: the key of a table cannot be changed.
_SIGHTINGS_OF_SCHEMA_3 = """
CREATE TABLE sighting_of_schema_3 (
    rrname TEXT NOT NULL,  -- of a connection without a name the address that it went to
    client TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    process TEXT NOT NULL,  -- '' where the log does not say
    log TEXT NOT NULL,  -- the file that the latest record stands in; '' where it is none, or nobody kept it
    time_first INTEGER NOT NULL,  -- seconds, as time_last
    time_last INTEGER NOT NULL,
    count INTEGER NOT NULL,
    seen_last INTEGER NOT NULL,  -- when it came last, by our clock
    PRIMARY KEY (rrname, client, source, kind, process)
) STRICT, WITHOUT ROWID;

INSERT INTO sighting_of_schema_3
SELECT rrname, client, source, 'dns', '', '', time_first, time_last, count, 1000000 * time_last FROM sighting;

DROP TABLE sighting;

ALTER TABLE sighting_of_schema_3 RENAME TO sighting;

CREATE INDEX sighting_seen_last ON sighting (seen_last);  -- Facts.forget_clients
"""

_CLAIMS = """
ALTER TABLE evidence ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;  -- 1: nothing but claims of clients say so

ALTER TABLE finding ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;  -- 1: all its evidence is such
"""

_HUNTS = """
CREATE TABLE hunt (
    id INTEGER PRIMARY KEY,
    begun_at INTEGER NOT NULL,
    since INTEGER NOT NULL,
    logs INTEGER NOT NULL,  -- how many it had to go through
    lost TEXT NOT NULL,  -- an array of those that could not be searched, with why
    ended_at INTEGER  -- null while hunt_log has rows of it
) STRICT;

CREATE INDEX hunt_pending ON hunt (id) WHERE ended_at IS NULL;  -- Hunts.pending

CREATE TABLE hunt_name (
    name TEXT NOT NULL,
    hunt INTEGER NOT NULL REFERENCES hunt,
    PRIMARY KEY (name, hunt)
) STRICT, WITHOUT ROWID;

CREATE INDEX hunt_name_hunt ON hunt_name (hunt);  -- Hunts.pending, Hunts.next

-- What a hunt has still to go through of each log; a row goes when it is through.
CREATE TABLE hunt_log (
    source TEXT NOT NULL,
    scope TEXT NOT NULL,
    hunt INTEGER NOT NULL REFERENCES hunt,
    start TEXT NOT NULL,  -- a position, as cursors have it; '' is the beginning
    until TEXT NOT NULL,
    start_offset INTEGER NOT NULL,  -- what orders them
    until_offset INTEGER NOT NULL,
    PRIMARY KEY (source, scope, hunt)
) STRICT, WITHOUT ROWID;

CREATE INDEX hunt_log_hunt ON hunt_log (hunt);  -- Hunts.pending, Hunts.next

-- How often clients of names had been counted when the hunt for them began: so many times they are not counted again.
CREATE TABLE hunt_credit (
    rrname TEXT NOT NULL,
    client TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    process TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (rrname, client, source, kind, process)
) STRICT, WITHOUT ROWID;
"""


@MIGRATIONS(name="1")
def _make_everything(db: Database) -> None:
    for family in (_RUNS, _FACTS, _FINDINGS, _FEED, _ACCESS):
        db.executescript(family)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA user_version = 1")


@MIGRATIONS(name="2")
def _keep_quotas_and_whence_evidence_came(db: Database) -> None:
    for family in (_EVIDENCE_OF_SCHEMA_2, _FINDINGS_OF_SCHEMA_2, _QUOTAS):
        db.executescript(family)
    db.execute("PRAGMA user_version = 2")


@MIGRATIONS(name="3")
def _keep_how_clients_asked_and_hunt_for_them(db: Database) -> None:
    for family in (_SIGHTINGS_OF_SCHEMA_3, _CLAIMS, _HUNTS):
        db.executescript(family)
    db.execute("PRAGMA user_version = 3")
