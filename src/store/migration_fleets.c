/* Migration 6: deployments that protect themselves, and devices that speak hawkBit's protocol. */
#include "store/migrations.h"

const char migration_fleets[] =
    /* --- devices --- */
    "ALTER TABLE device ADD COLUMN name TEXT;" /* for people; NULL: the id */
    "ALTER TABLE device ADD COLUMN description TEXT;"
    "ALTER TABLE device ADD COLUMN interface TEXT NOT NULL DEFAULT 'native'"
    "  CHECK (interface IN ('native', 'ddi'));"           /* ddi: a cancel is asked for and confirmed */
    "ALTER TABLE device ADD COLUMN certified_at INTEGER;" /* has a certificate: no token counts */
    "ALTER TABLE device ADD COLUMN transport TEXT"        /* how it last came */
    "  CHECK (transport IN ('pq', 'classical', 'plain', 'proxy'));"
    "ALTER TABLE device ADD COLUMN attributes_wanted INTEGER NOT NULL DEFAULT 0;" /* enum attributes_wanted */
    "ALTER TABLE device ADD COLUMN utc_offset INTEGER;"                           /* minutes east of UTC */
    /* The version is what it said that it had installed, and nothing that it said of itself. */
    "ALTER TABLE device ADD COLUMN version_assumed INTEGER NOT NULL DEFAULT 0;"
    /* Why it got what it got when it last asked: a number of ota/reason.h and the deployment meant. */
    "ALTER TABLE device ADD COLUMN reason INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE device ADD COLUMN reason_deployment INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE device ADD COLUMN reason_at INTEGER;"
    "UPDATE device SET certified_at = created_at;"
    "CREATE TRIGGER device_transport_counted AFTER UPDATE OF transport ON device"
    "  WHEN old.transport IS NOT new.transport BEGIN"
    "  UPDATE tally SET n = n - 1 WHERE name = 'transport-' || old.transport AND at = 0;"
    "  INSERT INTO tally SELECT 'transport-' || new.transport, 0, 1 WHERE new.transport IS NOT NULL"
    "    ON CONFLICT (name, at) DO UPDATE SET n = n + 1;"
    "END;"
    "CREATE TRIGGER device_transport_uncounted AFTER DELETE ON device WHEN old.transport IS NOT NULL BEGIN"
    "  UPDATE tally SET n = n - 1 WHERE name = 'transport-' || old.transport AND at = 0;"
    "END;"
    "CREATE TABLE device_attribute ("
    "  device INTEGER NOT NULL REFERENCES device (pk) ON DELETE CASCADE,"
    "  key TEXT NOT NULL, value TEXT NOT NULL,"
    "  PRIMARY KEY (device, key)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX device_attribute_by_value ON device_attribute (key, value, device);"
    "CREATE INDEX token_use_by_device ON token_use (device);"
    /* The token of a device without a certificate: known by its hash, shown to people from its seal. Several
       may be given the same. */
    "CREATE TABLE device_token ("
    "  device INTEGER PRIMARY KEY REFERENCES device (pk) ON DELETE CASCADE,"
    "  hash TEXT NOT NULL, sealed BLOB NOT NULL, created_at INTEGER NOT NULL"
    ") STRICT;"
    /* Its user agreed to all updates in advance. */
    "CREATE TABLE auto_confirm ("
    "  device INTEGER PRIMARY KEY REFERENCES device (pk) ON DELETE CASCADE,"
    "  at INTEGER NOT NULL, initiator TEXT NOT NULL, remark TEXT NOT NULL"
    ") STRICT;"

    /* --- people --- */
    "CREATE TABLE account ("
    "  pk INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL UNIQUE,"
    "  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),"
    "  password TEXT NOT NULL," /* argon2id, in the PHC form */
    "  created_at INTEGER NOT NULL, created_by TEXT NOT NULL,"
    "  changed_at INTEGER NOT NULL,"
    "  disabled_at INTEGER"
    ") STRICT;"
    /* What is set while the server runs; what is not here counts as the configuration file says. */
    "CREATE TABLE setting ("
    "  key TEXT PRIMARY KEY, value TEXT NOT NULL, changed_at INTEGER NOT NULL, changed_by TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    /* --- what is installed --- */
    "ALTER TABLE artifact ADD COLUMN sha1 TEXT;" /* NULL: not computed yet */
    "ALTER TABLE artifact ADD COLUMN md5 TEXT;"
    "CREATE INDEX artifact_unhashed ON artifact (sha256) WHERE sha1 IS NULL;"
    "ALTER TABLE module ADD COLUMN vendor TEXT;"
    "ALTER TABLE module ADD COLUMN description TEXT;"
    "ALTER TABLE module ADD COLUMN encrypted INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE module ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE module ADD COLUMN created_by TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE module ADD COLUMN deleted_at INTEGER;"
    "CREATE TABLE module_metadata ("
    "  module INTEGER NOT NULL REFERENCES module (pk) ON DELETE CASCADE,"
    "  key TEXT NOT NULL, value TEXT NOT NULL, visible INTEGER NOT NULL," /* to devices */
    "  PRIMARY KEY (module, key)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE module_artifact_new ("
    "  pk INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  module INTEGER NOT NULL REFERENCES module (pk) ON DELETE CASCADE,"
    "  filename TEXT NOT NULL,"
    "  sha256 TEXT NOT NULL REFERENCES artifact (sha256),"
    "  UNIQUE (module, filename)"
    ") STRICT;"
    "INSERT INTO module_artifact_new (module, filename, sha256)"
    "  SELECT module, filename, sha256 FROM module_artifact ORDER BY module, filename;"
    "DROP TABLE module_artifact;"
    "ALTER TABLE module_artifact_new RENAME TO module_artifact;"
    "CREATE INDEX module_artifact_by_sha256 ON module_artifact (sha256);"
    "ALTER TABLE release ADD COLUMN type TEXT NOT NULL DEFAULT 'os';" /* hawkBit's, of a distribution set */

    /* --- deployments --- */
    "CREATE TABLE deployment_new ("
    "  pk INTEGER PRIMARY KEY,"
    "  release INTEGER NOT NULL REFERENCES release (pk),"
    "  target_kind TEXT NOT NULL"
    "    CHECK (target_kind IN ('device', 'tag', 'model', 'all', 'filter', 'list', 'deployment')),"
    "  target TEXT NOT NULL DEFAULT '',"
    "  dynamic INTEGER NOT NULL," /* devices that come to match join later */
    "  state TEXT NOT NULL CHECK (state IN"
    "    ('approval', 'scheduled', 'running', 'paused', 'finished', 'cancelled', 'denied')),"
    "  why TEXT NOT NULL DEFAULT '',"     /* it is in this state */
    "  phase INTEGER NOT NULL DEFAULT 0," /* the last one that is open */
    "  phases INTEGER NOT NULL DEFAULT 1,"
    "  looked INTEGER NOT NULL DEFAULT 0," /* pk of the last device that was looked at for members */
    "  prepared_at INTEGER,"               /* all were */
    "  priority INTEGER NOT NULL DEFAULT 500,"
    "  mode TEXT NOT NULL DEFAULT 'forced'"
    "    CHECK (mode IN ('forced', 'soft', 'download_only', 'time_forced')),"
    "  force_at INTEGER,"
    "  consent INTEGER NOT NULL DEFAULT 0,"
    "  allow_downgrade INTEGER NOT NULL DEFAULT 0,"
    "  start_at INTEGER,"
    "  per_minute INTEGER,"                /* devices that may begin; NULL: any number */
    "  minute INTEGER NOT NULL DEFAULT 0," /* Unix milliseconds / 60000 of the last that began */
    "  begun INTEGER NOT NULL DEFAULT 0,"  /* in that minute */
    "  window_schedule TEXT, window_seconds INTEGER, window_zone TEXT,"
    "  deadline_seconds INTEGER," /* for one attempt */
    "  retries INTEGER NOT NULL DEFAULT 0,"
    "  retry_seconds INTEGER NOT NULL DEFAULT 3600,"
    "  rollback INTEGER REFERENCES release (pk),"  /* deployed to its devices when errors stop it */
    "  origin INTEGER REFERENCES deployment (pk)," /* rolled back by this one */
    "  created_at INTEGER NOT NULL,"
    "  created_by TEXT NOT NULL,"
    "  approved_at INTEGER,"
    "  approved_by TEXT,"
    "  closed_at INTEGER,"
    "  forgotten INTEGER NOT NULL DEFAULT 0" /* its devices are: 1 being, 2 are deleted; their numbers stay */
    ") STRICT;"
    "INSERT INTO deployment_new (pk, release, target_kind, target, dynamic, state, allow_downgrade,"
    "    prepared_at, created_at, created_by, closed_at)"
    "  SELECT pk, release, target_kind, target, target_kind <> 'device', state, allow_downgrade,"
    "    CASE WHEN target_kind = 'device' OR state <> 'running' THEN created_at END,"
    "    created_at, created_by, closed_at FROM deployment;"
    "DROP TABLE deployment;"
    "ALTER TABLE deployment_new RENAME TO deployment;"
    "DROP TABLE deployment_model;"
    "CREATE INDEX deployment_by_state ON deployment (state, pk);"
    "CREATE INDEX deployment_by_release ON deployment (release, state);"
    "CREATE INDEX deployment_dynamic ON deployment (pk) WHERE dynamic AND state = 'running';"
    "CREATE INDEX deployment_unprepared ON deployment (pk) WHERE prepared_at IS NULL;"
    "CREATE INDEX deployment_kept ON deployment (closed_at) WHERE closed_at IS NOT NULL AND forgotten < 2;"
    "CREATE INDEX deployment_starting ON deployment (start_at) WHERE state = 'scheduled';"
    /* Another number whenever what runs may be another thing: see store/running.c. */
    "CREATE TABLE deployment_generation (pk INTEGER PRIMARY KEY CHECK (pk = 1), n INTEGER NOT NULL) STRICT;"
    "INSERT INTO deployment_generation VALUES (1, 1);"
    "CREATE TRIGGER deployment_made AFTER INSERT ON deployment BEGIN"
    "  UPDATE deployment_generation SET n = n + 1;"
    "END;"
    "CREATE TRIGGER deployment_moved AFTER UPDATE OF state, prepared_at ON deployment"
    "  WHEN old.state <> new.state OR old.prepared_at IS NOT new.prepared_at BEGIN"
    "  UPDATE deployment_generation SET n = n + 1;"
    "END;"
    "CREATE TABLE phase ("
    "  deployment INTEGER NOT NULL REFERENCES deployment (pk),"
    "  number INTEGER NOT NULL,"
    "  name TEXT NOT NULL DEFAULT '',"
    "  filter TEXT NOT NULL DEFAULT '',"
    "  percent INTEGER," /* of those that no phase with a filter or a count took */
    "  devices INTEGER," /* at most so many */
    "  success_percent INTEGER NOT NULL DEFAULT 100," /* the next one opens */
    "  error_percent INTEGER, error_count INTEGER,"   /* the deployment pauses */
    "  opened_at INTEGER,"
    "  PRIMARY KEY (deployment, number)"
    ") STRICT, WITHOUT ROWID;"
    "INSERT INTO phase (deployment, number, opened_at) SELECT pk, 0, created_at FROM deployment;"

    /* --- actions, rebuilt: several attempts, more states --- */
    "CREATE TABLE action_new ("
    "  pk INTEGER PRIMARY KEY AUTOINCREMENT CHECK (pk < 2147483648)," /* a device keeps it: never reused */
    "  deployment INTEGER NOT NULL REFERENCES deployment (pk),"
    "  device INTEGER NOT NULL REFERENCES device (pk) ON DELETE CASCADE,"
    "  release INTEGER NOT NULL REFERENCES release (pk),"
    "  attempt INTEGER NOT NULL DEFAULT 1,"
    "  state TEXT NOT NULL CHECK (state IN"
    "    ('waiting', 'offered', 'downloading', 'downloaded', 'installing', 'rebooting', 'cancelling',"
    "     'succeeded', 'failed', 'cancelled')),"
    "  resume TEXT,"      /* the state to go back to when the device does not let itself be cancelled */
    "  progress INTEGER," /* percent */
    "  message TEXT NOT NULL DEFAULT '',"
    "  version_before TEXT,"
    "  deadline_at INTEGER,"
    "  retrieved INTEGER NOT NULL DEFAULT 0," /* over hawkBit's protocol */
    "  created_at INTEGER NOT NULL,"
    "  updated_at INTEGER NOT NULL,"
    "  closed_at INTEGER,"
    "  UNIQUE (device, deployment, attempt)"
    ") STRICT;"
    "INSERT INTO action_new (pk, deployment, device, release, state, progress, message, version_before,"
    "    created_at, updated_at, closed_at)"
    "  SELECT pk, deployment, device, release, state, progress, message, version_before, created_at,"
    "    updated_at, closed_at FROM action;"
    "DELETE FROM sqlite_sequence WHERE name = 'action_new';"
    "INSERT INTO sqlite_sequence (name, seq)"
    "  SELECT 'action_new', seq FROM sqlite_sequence WHERE name = 'action';"
    "DROP TABLE action;"
    "ALTER TABLE action_new RENAME TO action;"
    /* The one with the lowest pk is what the device is busy with. */
    "CREATE INDEX action_open ON action (device) WHERE closed_at IS NULL;"
    "CREATE INDEX action_by_deployment ON action (deployment, pk);"
    "CREATE INDEX action_by_state ON action (deployment, state);"
    "CREATE INDEX action_closed ON action (closed_at) WHERE closed_at IS NOT NULL;"
    "CREATE INDEX action_succeeded ON action (device) WHERE state = 'succeeded';"
    "CREATE INDEX action_deadline ON action (deadline_at)"
    "  WHERE closed_at IS NULL AND deadline_at IS NOT NULL;"
    "CREATE TRIGGER action_counted AFTER INSERT ON action BEGIN"
    "  INSERT INTO action_tally VALUES (new.deployment, new.state, 1)"
    "    ON CONFLICT (deployment, state) DO UPDATE SET n = n + 1;"
    "  INSERT INTO tally VALUES (new.state, coalesce(new.closed_at / 3600000, 0), 1)"
    "    ON CONFLICT (name, at) DO UPDATE SET n = n + 1;"
    "END;"
    "CREATE TRIGGER action_uncounted AFTER DELETE ON action BEGIN"
    "  UPDATE action_tally SET n = n - 1 WHERE deployment = old.deployment AND state = old.state;"
    "  UPDATE tally SET n = n - 1 WHERE name = old.state AND at = coalesce(old.closed_at / 3600000, 0);"
    "  DELETE FROM tally WHERE name = old.state AND at = coalesce(old.closed_at / 3600000, 0) AND n = 0;"
    "END;"
    "CREATE TRIGGER action_recounted AFTER UPDATE OF state, closed_at ON action"
    "  WHEN old.state <> new.state OR old.closed_at IS NOT new.closed_at BEGIN"
    "  UPDATE action_tally SET n = n - 1 WHERE deployment = old.deployment AND state = old.state;"
    "  INSERT INTO action_tally VALUES (new.deployment, new.state, 1)"
    "    ON CONFLICT (deployment, state) DO UPDATE SET n = n + 1;"
    "  UPDATE tally SET n = n - 1 WHERE name = old.state AND at = coalesce(old.closed_at / 3600000, 0);"
    "  INSERT INTO tally VALUES (new.state, coalesce(new.closed_at / 3600000, 0), 1)"
    "    ON CONFLICT (name, at) DO UPDATE SET n = n + 1;"
    "END;"

    /* --- members: one that waits or is active stands in member_open, which a poll looks through --- */
    "CREATE TABLE member ("
    "  deployment INTEGER NOT NULL REFERENCES deployment (pk),"
    "  device INTEGER NOT NULL," /* no reference: for a device that goes all members would be looked at */
    "  phase INTEGER NOT NULL DEFAULT 0,"
    "  state TEXT NOT NULL CHECK (state IN"
    "    ('waiting', 'active', 'succeeded', 'already', 'failed', 'cancelled')),"
    "  attempts INTEGER NOT NULL DEFAULT 0,"
    "  retry_at INTEGER,"
    "  why TEXT,"
    "  PRIMARY KEY (deployment, device)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX member_open ON member (device, deployment) WHERE state IN ('waiting', 'active');"
    "CREATE INDEX member_already ON member (device, deployment) WHERE state = 'already';"
    "CREATE INDEX member_failed ON member (deployment, device) WHERE state = 'failed';"
    "CREATE INDEX member_active ON member (deployment, device) WHERE state = 'active';"
    "CREATE TABLE member_tally ("
    "  deployment INTEGER NOT NULL, phase INTEGER NOT NULL, state TEXT NOT NULL, n INTEGER NOT NULL,"
    "  PRIMARY KEY (deployment, phase, state)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER member_counted AFTER INSERT ON member BEGIN"
    "  INSERT INTO member_tally VALUES (new.deployment, new.phase, new.state, 1)"
    "    ON CONFLICT (deployment, phase, state) DO UPDATE SET n = n + 1;"
    "END;"
    "CREATE TRIGGER member_uncounted AFTER DELETE ON member"
    "  WHEN (SELECT forgotten FROM deployment WHERE pk = old.deployment) = 0 BEGIN"
    "  UPDATE member_tally SET n = n - 1"
    "    WHERE deployment = old.deployment AND phase = old.phase AND state = old.state;"
    "END;"
    "CREATE TRIGGER member_recounted AFTER UPDATE OF state, phase ON member"
    "  WHEN old.state <> new.state OR old.phase <> new.phase BEGIN"
    "  UPDATE member_tally SET n = n - 1"
    "    WHERE deployment = old.deployment AND phase = old.phase AND state = old.state;"
    "  INSERT INTO member_tally VALUES (new.deployment, new.phase, new.state, 1)"
    "    ON CONFLICT (deployment, phase, state) DO UPDATE SET n = n + 1;"
    "END;"
    "INSERT INTO member (deployment, device, state, attempts)"
    "  SELECT deployment, device, CASE WHEN closed_at IS NULL THEN 'active' ELSE state END, 1 FROM action;"
    "INSERT INTO member (deployment, device, state)"
    "  SELECT p.pk, d.pk, 'waiting' FROM deployment p JOIN device d ON d.id = p.target"
    "    WHERE p.target_kind = 'device' AND p.state = 'running' AND d.revoked_at IS NULL"
    "  ON CONFLICT DO NOTHING;";
