CREATE TABLE {revisions} (
    revision           VARCHAR(255) NOT NULL PRIMARY KEY,
    down_revision      TEXT NOT NULL,       -- the parents when it was applied, separated by commas
    depends_on         TEXT NOT NULL,       -- likewise
    message            TEXT NOT NULL,
    applied_at         VARCHAR(32) NOT NULL,  -- UTC
    applied_by         TEXT NOT NULL,
    duration_ms        BIGINT,              -- NULL: a stamp, or a script ran it
    tool_version       VARCHAR(64) NOT NULL,
    unfinished         VARCHAR(64),         -- where it stopped: upgrade:STATEMENTS, and :begun where one more was
    upgrade_checksum   TEXT NOT NULL,       -- b3:1:TEXT:TOKENS
    downgrade_checksum TEXT,                -- NULL: irreversible
    upgrade_sql        LONGTEXT,            -- the file; NULL when it is too large to keep
    downgrade_sql      LONGTEXT             -- the file; a long one is compressed, as deflate:BASE64
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE {log} (
    id                 BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    logged_at          VARCHAR(32) NOT NULL,  -- UTC
    logged_by          TEXT NOT NULL,
    event              VARCHAR(64) NOT NULL,  -- upgrade, downgrade, stamp or repair
    revision           VARCHAR(255) NOT NULL,
    outcome            VARCHAR(64) NOT NULL,  -- done or failed
    detail             LONGTEXT,
    duration_ms        BIGINT,
    tool_version       VARCHAR(64) NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;
