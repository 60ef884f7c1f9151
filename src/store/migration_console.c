/* Migration 7: what the console in a browser needs: approvers, sessions, from where a change came, how the
   fleet's versions went over time. */
#include "store/migrations.h"

const char migration_console[] =
    /* --- who: one more role --- */
    "CREATE TABLE account_new ("
    "  pk INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL UNIQUE,"
    "  role TEXT NOT NULL CHECK (role IN ('viewer', 'approver', 'operator', 'admin')),"
    "  password TEXT NOT NULL," /* argon2id, in the PHC form */
    "  created_at INTEGER NOT NULL, created_by TEXT NOT NULL,"
    "  changed_at INTEGER NOT NULL,"
    "  disabled_at INTEGER"
    ") STRICT;"
    "INSERT INTO account_new (pk, name, role, password, created_at, created_by, changed_at, disabled_at)"
    "  SELECT pk, name, role, password, created_at, created_by, changed_at, disabled_at FROM account;"
    "DROP TABLE account;"
    "ALTER TABLE account_new RENAME TO account;"
    "CREATE TABLE operator_new ("
    "  pk INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL UNIQUE,"
    "  role TEXT NOT NULL CHECK (role IN ('viewer', 'approver', 'operator', 'admin')),"
    "  created_at INTEGER NOT NULL,"
    "  revoked_at INTEGER"
    ") STRICT;"
    "INSERT INTO operator_new (pk, name, role, created_at, revoked_at)"
    "  SELECT pk, name, role, created_at, revoked_at FROM operator;"
    "DROP TABLE operator;" /* certificates name it: see migrate_run */
    "ALTER TABLE operator_new RENAME TO operator;"

    /* --- who is signed in, in a browser: known by the SHA-256 of what it shows --- */
    "CREATE TABLE session ("
    "  hash TEXT PRIMARY KEY,"
    "  account INTEGER NOT NULL REFERENCES account (pk) ON DELETE CASCADE,"
    "  account_changed INTEGER NOT NULL," /* the account's changed_at by then: another one ends it */
    "  by_link INTEGER NOT NULL,"
    "  created_at INTEGER NOT NULL,"
    "  expires_at INTEGER NOT NULL,"
    "  address TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX session_by_account ON session (account, created_at);"
    "CREATE INDEX session_by_expiry ON session (expires_at);"
    "CREATE TABLE sign_in_link ("
    "  hash TEXT PRIMARY KEY,"
    "  account INTEGER NOT NULL REFERENCES account (pk) ON DELETE CASCADE,"
    "  created_at INTEGER NOT NULL,"
    "  expires_at INTEGER NOT NULL,"
    "  created_by TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX sign_in_link_by_account ON sign_in_link (account);"
    "CREATE INDEX sign_in_link_by_expiry ON sign_in_link (expires_at);"

    /* --- from where; '' for what the server did by itself --- */
    "ALTER TABLE event ADD COLUMN address TEXT NOT NULL DEFAULT '';"

    /* --- how many devices ran which version when --- */
    /* A model and version of the table `fleet`; both '': all that have no row of their own. A version that
       is '' is not known. */
    "CREATE TABLE fleet_series ("
    "  pk INTEGER PRIMARY KEY,"
    "  model TEXT NOT NULL,"
    "  version TEXT NOT NULL,"
    "  devices INTEGER NOT NULL," /* when it was last looked at */
    "  peak INTEGER NOT NULL,"    /* most that it ever had */
    "  UNIQUE (model, version)"
    ") STRICT;"
    /* Only what changed: a number holds until the next one. */
    "CREATE TABLE fleet_sample ("
    "  series INTEGER NOT NULL REFERENCES fleet_series (pk) ON DELETE CASCADE,"
    "  at INTEGER NOT NULL,"
    "  devices INTEGER NOT NULL,"
    "  PRIMARY KEY (series, at)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX fleet_sample_by_time ON fleet_sample (at);"

    /* --- what failed lately, and what a deployment would leave out --- */
    "CREATE INDEX action_failed ON action (closed_at) WHERE state = 'failed';"
    "CREATE INDEX device_revoked_by_model ON device (model) WHERE revoked_at IS NOT NULL;"

    /* --- which devices' certificates end soon --- */
    "CREATE INDEX certificate_ending ON certificate (not_after)"
    "  WHERE device IS NOT NULL AND revoked_at IS NULL;"
    "ALTER TABLE certificate ADD COLUMN algorithm TEXT;"; /* of its key; NULL: issued before */
