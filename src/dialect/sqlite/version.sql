CREATE TABLE {revisions} (
    revision           TEXT NOT NULL PRIMARY KEY,
    down_revision      TEXT NOT NULL,       -- the parents when it was applied, separated by commas
    depends_on         TEXT NOT NULL,       -- likewise
    message            TEXT NOT NULL,
    applied_at         TEXT NOT NULL,       -- UTC
    applied_by         TEXT NOT NULL,
    duration_ms        INTEGER,             -- NULL: a stamp, or a script ran it
    tool_version       TEXT NOT NULL,
    unfinished         TEXT,                -- where it stopped, without a transaction: upgrade:STATEMENTS
    upgrade_checksum   TEXT NOT NULL,       -- b3:1:TEXT:TOKENS
    downgrade_checksum TEXT,                -- NULL: irreversible
    upgrade_sql        TEXT,                -- the file; NULL when it is too large to keep
    downgrade_sql      TEXT                 -- the file; a long one is compressed, as deflate:BASE64
);
CREATE TABLE {log} (
    id                 INTEGER PRIMARY KEY,
    logged_at          TEXT NOT NULL,       -- UTC
    logged_by          TEXT NOT NULL,
    event              TEXT NOT NULL,       -- upgrade, downgrade, stamp or repair
    revision           TEXT NOT NULL,
    outcome            TEXT NOT NULL,       -- done or failed
    detail             TEXT,
    duration_ms        INTEGER,
    tool_version       TEXT NOT NULL
);
