-- Whoever reads naap's tables in a ClickHouse server: dashboards, people, and the HTTP interface of the nodes.
-- Run by an administrator, as often as wanted; `naap schema apply` never touches access. The embedded engine has no users: its
-- interface enforces the same by itself.
CREATE ROLE IF NOT EXISTS naap_reader;

GRANT SELECT, SHOW ON naap.* TO naap_reader;

-- Reads only, and no query may take the server from the nodes that write. A reader may ask for less, never for more.
CREATE SETTINGS PROFILE OR REPLACE naap_reader SETTINGS
    readonly = 2 READONLY,
    max_execution_time = 10 MAX 60,
    max_memory_usage = 2000000000 MAX 4000000000,
    max_threads = 2 MAX 4,
    max_result_rows = 1000000 MAX 10000000,
    result_overflow_mode = 'throw' READONLY
    TO naap_reader;

-- The users, each with a password of its own, not in this file:
--   CREATE USER reader IDENTIFIED WITH sha256_password BY '…' DEFAULT ROLE naap_reader
