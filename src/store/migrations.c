#include "store/migrations.h"

/* Times are Unix milliseconds. Hashes and serials are lower-case hex. */
static const char first[] =
    "CREATE TABLE meta ("
    "  key TEXT PRIMARY KEY, value TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    /* --- who --- */
    "CREATE TABLE operator ("
    "  pk INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL UNIQUE,"
    "  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),"
    "  created_at INTEGER NOT NULL,"
    "  revoked_at INTEGER"
    ") STRICT;"

    "CREATE TABLE device ("
    "  pk INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE,"
    "  model TEXT NOT NULL,"
    "  version TEXT," /* as the device last reported it */
    "  version_at INTEGER,"
    "  created_at INTEGER NOT NULL,"
    "  last_seen_at INTEGER,"
    "  revoked_at INTEGER"
    ") STRICT;"
    "CREATE INDEX device_by_model ON device (model, id);"
    "CREATE INDEX device_by_version ON device (version, id);"
    "CREATE INDEX device_revoked ON device (id) WHERE revoked_at IS NOT NULL;"

    "CREATE TABLE device_tag ("
    "  tag TEXT NOT NULL,"
    "  id TEXT NOT NULL," /* the device's, so that a tag's devices are listed in their order */
    "  device INTEGER NOT NULL REFERENCES device (pk) ON DELETE CASCADE,"
    "  PRIMARY KEY (tag, id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX device_tag_by_device ON device_tag (device, tag);"

    "CREATE TABLE certificate ("
    "  issuer TEXT NOT NULL," /* SHA-256 of the issuer's SubjectPublicKeyInfo */
    "  serial TEXT NOT NULL,"
    "  fingerprint TEXT NOT NULL,"
    "  key_id TEXT NOT NULL," /* SHA-256 of its own SubjectPublicKeyInfo */
    "  device INTEGER REFERENCES device (pk) ON DELETE CASCADE,"
    "  operator INTEGER REFERENCES operator (pk) ON DELETE CASCADE,"
    "  pem TEXT," /* the chain, until its first use: a reply that got lost can be given again */
    "  not_before INTEGER NOT NULL,"
    "  not_after INTEGER NOT NULL,"
    "  issued_at INTEGER NOT NULL,"
    "  first_used_at INTEGER,"
    "  revoked_at INTEGER,"
    "  reason TEXT," /* why it was revoked */
    "  PRIMARY KEY (issuer, serial),"
    "  CHECK ((device IS NULL) <> (operator IS NULL))"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX certificate_by_device ON certificate (device, issued_at) WHERE device IS NOT NULL;"
    "CREATE INDEX certificate_by_operator ON certificate (operator) WHERE operator IS NOT NULL;"
    "CREATE INDEX certificate_revoked ON certificate (revoked_at) WHERE revoked_at IS NOT NULL;"
    "CREATE INDEX certificate_pending ON certificate (issued_at)"
    "  WHERE first_used_at IS NULL AND revoked_at IS NULL;"

    "CREATE TABLE token ("
    "  pk INTEGER PRIMARY KEY,"
    "  hash TEXT NOT NULL UNIQUE," /* SHA-256 of the token */
    "  model TEXT NOT NULL,"
    "  device_id TEXT," /* set: for this device alone, also if it exists */
    "  note TEXT,"
    "  uses_max INTEGER NOT NULL,"
    "  uses INTEGER NOT NULL DEFAULT 0,"
    "  created_at INTEGER NOT NULL,"
    "  created_by TEXT NOT NULL,"
    "  expires_at INTEGER NOT NULL,"
    "  revoked_at INTEGER"
    ") STRICT;"
    "CREATE INDEX token_by_expiry ON token (expires_at);"

    "CREATE TABLE token_use ("
    "  token INTEGER NOT NULL REFERENCES token (pk) ON DELETE CASCADE,"
    "  key_id TEXT NOT NULL," /* the key that enrolled: the same one may ask again */
    "  device INTEGER NOT NULL REFERENCES device (pk) ON DELETE CASCADE,"
    "  used_at INTEGER NOT NULL,"
    "  PRIMARY KEY (token, key_id)"
    ") STRICT, WITHOUT ROWID;"

    /* --- what --- */
    "CREATE TABLE artifact ("
    "  sha256 TEXT PRIMARY KEY,"
    "  size INTEGER NOT NULL,"
    "  created_at INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE module ("
    "  pk INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL,"
    "  version TEXT NOT NULL,"
    "  type TEXT NOT NULL," /* 'os', 'application', ... */
    "  UNIQUE (name, version, type)"
    ") STRICT;"

    "CREATE TABLE module_artifact ("
    "  module INTEGER NOT NULL REFERENCES module (pk) ON DELETE CASCADE,"
    "  filename TEXT NOT NULL,"
    "  sha256 TEXT NOT NULL REFERENCES artifact (sha256),"
    "  PRIMARY KEY (module, filename)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX module_artifact_by_sha256 ON module_artifact (sha256);"

    "CREATE TABLE release ("
    "  pk INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL,"
    "  version TEXT NOT NULL,"
    "  state TEXT NOT NULL CHECK (state IN ('draft', 'signed', 'published')),"
    "  notes TEXT NOT NULL DEFAULT '',"
    "  created_at INTEGER NOT NULL,"
    "  created_by TEXT NOT NULL,"
    "  published_at INTEGER,"
    "  deleted_at INTEGER," /* kept, so that a version never comes back with other bytes */
    "  UNIQUE (name, version)"
    ") STRICT;"
    "CREATE INDEX release_by_version ON release (version);"

    "CREATE TABLE release_module ("
    "  release INTEGER NOT NULL REFERENCES release (pk) ON DELETE CASCADE,"
    "  module INTEGER NOT NULL REFERENCES module (pk),"
    "  PRIMARY KEY (release, module)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX release_module_by_module ON release_module (module);"

    /* The models that a release fits; the sequence, given when it is published, decides what is latest. */
    "CREATE TABLE release_model ("
    "  model TEXT NOT NULL,"
    "  release INTEGER NOT NULL REFERENCES release (pk) ON DELETE CASCADE,"
    "  version TEXT NOT NULL," /* the release's, so that what a device runs is found by one lookup */
    "  sequence INTEGER,"
    "  PRIMARY KEY (model, release)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX release_model_by_sequence ON release_model (model, sequence)"
    "  WHERE sequence IS NOT NULL;"
    "CREATE INDEX release_model_by_release ON release_model (release);"
    "CREATE INDEX release_model_by_version ON release_model (model, version, sequence);"

    /* Highest sequence ever given per model: a deleted release's number is never given again. */
    "CREATE TABLE model_sequence ("
    "  model TEXT PRIMARY KEY, last INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    /* --- when and where --- */
    "CREATE TABLE deployment ("
    "  pk INTEGER PRIMARY KEY,"
    "  release INTEGER NOT NULL REFERENCES release (pk),"
    "  target_kind TEXT NOT NULL CHECK (target_kind IN ('device', 'tag', 'model', 'all')),"
    "  target TEXT NOT NULL DEFAULT '',"
    "  state TEXT NOT NULL CHECK (state IN ('running', 'cancelled')),"
    "  allow_downgrade INTEGER NOT NULL DEFAULT 0,"
    "  created_at INTEGER NOT NULL,"
    "  created_by TEXT NOT NULL,"
    "  closed_at INTEGER"
    ") STRICT;"
    "CREATE INDEX deployment_by_state ON deployment (state, pk);"
    "CREATE INDEX deployment_by_release ON deployment (release, state);"

    /* Running deployments by the models their release fits: what a poll looks through, newest first. */
    "CREATE TABLE deployment_model ("
    "  model TEXT NOT NULL,"
    "  target_kind TEXT NOT NULL,"
    "  target TEXT NOT NULL,"
    "  deployment INTEGER NOT NULL REFERENCES deployment (pk),"
    "  PRIMARY KEY (model, target_kind, target, deployment)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX deployment_model_by_deployment ON deployment_model (deployment);"

    "CREATE TABLE action ("
    "  pk INTEGER PRIMARY KEY AUTOINCREMENT CHECK (pk < 2147483648)," /* a device keeps it: never reused */
    "  deployment INTEGER NOT NULL REFERENCES deployment (pk),"
    "  device INTEGER NOT NULL REFERENCES device (pk) ON DELETE CASCADE,"
    "  release INTEGER NOT NULL REFERENCES release (pk),"
    "  state TEXT NOT NULL CHECK (state IN"
    "    ('offered', 'downloading', 'installing', 'rebooting', 'succeeded', 'failed', 'cancelled')),"
    "  progress INTEGER," /* percent */
    "  message TEXT NOT NULL DEFAULT '',"
    "  version_before TEXT,"
    "  created_at INTEGER NOT NULL,"
    "  updated_at INTEGER NOT NULL,"
    "  closed_at INTEGER,"
    "  UNIQUE (device, deployment)"
    ") STRICT;"
    "CREATE UNIQUE INDEX action_active ON action (device) WHERE closed_at IS NULL;"
    "CREATE INDEX action_by_deployment ON action (deployment, pk);"
    "CREATE INDEX action_by_state ON action (deployment, state);"
    "CREATE INDEX action_closed ON action (closed_at) WHERE closed_at IS NOT NULL;"

    "CREATE TABLE action_status ("
    "  pk INTEGER PRIMARY KEY,"
    "  action INTEGER NOT NULL REFERENCES action (pk) ON DELETE CASCADE,"
    "  at INTEGER NOT NULL,"
    "  state TEXT NOT NULL,"
    "  progress INTEGER,"
    "  message TEXT NOT NULL DEFAULT ''"
    ") STRICT;"
    "CREATE INDEX action_status_by_action ON action_status (action, pk);"

    /* What happened, for people: appended in the transaction that made it happen. */
    "CREATE TABLE event ("
    "  pk INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  at INTEGER NOT NULL,"
    "  kind TEXT NOT NULL,"             /* 'device.enrolled', 'release.published', ... */
    "  who TEXT NOT NULL,"              /* operator, device id, or 'server' */
    "  subject TEXT NOT NULL,"          /* what it happened to */
    "  detail TEXT NOT NULL DEFAULT ''" /* a sentence */
    ") STRICT;"
    "CREATE INDEX event_by_subject ON event (subject, pk);"
    "CREATE INDEX event_by_kind ON event (kind, pk);"
    "CREATE INDEX event_by_time ON event (at);";

/*
 * Numbers that are asked for often and would take a look at every row: counted as the rows change, in the
 * same transaction, by triggers, so that no question that writes has to remember it. Days are counted by the
 * hour: Unix milliseconds / 3600000.
 */
static const char tallies[] =
    /* 'devices', 'revoked' (at 0); 'seen' (at the hour a device was last seen); actions by their state (open
       ones at 0, others at the hour they were closed). */
    "CREATE TABLE tally ("
    "  name TEXT NOT NULL, at INTEGER NOT NULL, n INTEGER NOT NULL,"
    "  PRIMARY KEY (name, at)"
    ") STRICT, WITHOUT ROWID;"
    "INSERT INTO tally SELECT 'devices', 0, count(*) FROM device;"
    "INSERT INTO tally SELECT 'revoked', 0, count(revoked_at) FROM device;"
    "INSERT INTO tally SELECT 'seen', last_seen_at / 3600000, count(*) FROM device"
    "  WHERE last_seen_at IS NOT NULL GROUP BY 2;"

    /* Devices that are not revoked, by what runs on them; '' is not known. */
    "CREATE TABLE fleet ("
    "  model TEXT NOT NULL, version TEXT NOT NULL, devices INTEGER NOT NULL,"
    "  PRIMARY KEY (model, version)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX fleet_by_devices ON fleet (devices DESC, model, version);"
    "INSERT INTO fleet SELECT model, coalesce(version, ''), count(*) FROM device WHERE revoked_at IS NULL"
    "  GROUP BY 1, 2;"

    "CREATE TRIGGER device_counted AFTER INSERT ON device BEGIN"
    "  UPDATE tally SET n = n + 1 WHERE name = 'devices' AND at = 0;"
    "  UPDATE tally SET n = n + 1 WHERE name = 'revoked' AND at = 0 AND new.revoked_at IS NOT NULL;"
    "  INSERT INTO tally SELECT 'seen', new.last_seen_at / 3600000, 1 WHERE new.last_seen_at IS NOT NULL"
    "    ON CONFLICT (name, at) DO UPDATE SET n = n + 1;"
    "  INSERT INTO fleet SELECT new.model, coalesce(new.version, ''), 1 WHERE new.revoked_at IS NULL"
    "    ON CONFLICT (model, version) DO UPDATE SET devices = devices + 1;"
    "END;"
    "CREATE TRIGGER device_uncounted AFTER DELETE ON device BEGIN"
    "  UPDATE tally SET n = n - 1 WHERE name = 'devices' AND at = 0;"
    "  UPDATE tally SET n = n - 1 WHERE name = 'revoked' AND at = 0 AND old.revoked_at IS NOT NULL;"
    "  UPDATE tally SET n = n - 1 WHERE name = 'seen' AND at = old.last_seen_at / 3600000;"
    "  UPDATE fleet SET devices = devices - 1"
    "    WHERE model = old.model AND version = coalesce(old.version, '') AND old.revoked_at IS NULL;"
    "END;"
    "CREATE TRIGGER device_recounted AFTER UPDATE OF model, version, revoked_at ON device"
    "  WHEN old.model <> new.model OR old.version IS NOT new.version"
    "    OR (old.revoked_at IS NULL) <> (new.revoked_at IS NULL) BEGIN"
    "  UPDATE tally SET n = n + (new.revoked_at IS NOT NULL) - (old.revoked_at IS NOT NULL)"
    "    WHERE name = 'revoked' AND at = 0;"
    "  UPDATE fleet SET devices = devices - 1"
    "    WHERE model = old.model AND version = coalesce(old.version, '') AND old.revoked_at IS NULL;"
    "  DELETE FROM fleet WHERE model = old.model AND version = coalesce(old.version, '') AND devices = 0;"
    "  INSERT INTO fleet SELECT new.model, coalesce(new.version, ''), 1 WHERE new.revoked_at IS NULL"
    "    ON CONFLICT (model, version) DO UPDATE SET devices = devices + 1;"
    "END;"
    "CREATE TRIGGER device_seen_counted AFTER UPDATE OF last_seen_at ON device"
    "  WHEN old.last_seen_at / 3600000 IS NOT new.last_seen_at / 3600000 BEGIN"
    "  UPDATE tally SET n = n - 1 WHERE name = 'seen' AND at = old.last_seen_at / 3600000;"
    "  DELETE FROM tally WHERE name = 'seen' AND at = old.last_seen_at / 3600000 AND n = 0;"
    "  INSERT INTO tally SELECT 'seen', new.last_seen_at / 3600000, 1 WHERE new.last_seen_at IS NOT NULL"
    "    ON CONFLICT (name, at) DO UPDATE SET n = n + 1;"
    "END;"

    /* A deployment's actions by state. */
    "CREATE TABLE action_tally ("
    "  deployment INTEGER NOT NULL REFERENCES deployment (pk), state TEXT NOT NULL, n INTEGER NOT NULL,"
    "  PRIMARY KEY (deployment, state)"
    ") STRICT, WITHOUT ROWID;"
    "INSERT INTO action_tally SELECT deployment, state, count(*) FROM action GROUP BY 1, 2;"
    "INSERT INTO tally SELECT state, coalesce(closed_at / 3600000, 0), count(*) FROM action GROUP BY 1, 2;"

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

    /* Deployments whose actions are still being closed, a slice at a time. */
    "CREATE TABLE deployment_closing ("
    "  deployment INTEGER PRIMARY KEY REFERENCES deployment (pk)"
    ") STRICT;"

    /* Devices of a model that run a version, in the order of their ids. */
    "CREATE INDEX device_by_model_version ON device (model, version, id);"

    /* So that the latest is found by one step however many were deleted after it. */
    "ALTER TABLE release_model ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;"
    "UPDATE release_model SET deleted = 1"
    "  WHERE release IN (SELECT pk FROM release WHERE deleted_at IS NOT NULL);"
    "CREATE INDEX release_model_latest ON release_model (model, sequence)"
    "  WHERE sequence IS NOT NULL AND deleted = 0;"

    /* A revoked device installs nothing: its action is closed with the revocation from now on. */
    "UPDATE action SET state = 'cancelled', message = 'the device was revoked', closed_at = updated_at"
    "  WHERE closed_at IS NULL AND device IN (SELECT pk FROM device WHERE revoked_at IS NOT NULL);";

static const char announcements[] =
    /* What waits to be announced over MQTT. Each row is a hint that something changed; what is said is read
       when it is sent. One row a thing: what changes again before it was sent gets a new pk, so that the
       broker's receipt for the old one does not take the new one away. */
    "CREATE TABLE outbox ("
    "  pk INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  kind TEXT NOT NULL CHECK (kind IN ('release', 'deployment', 'device')),"
    "  ref INTEGER NOT NULL,"                /* pk of the release, deployment or device */
    "  position INTEGER NOT NULL DEFAULT 0," /* deployment: pk of the last device that was told */
    "  created_at INTEGER NOT NULL,"
    "  UNIQUE (kind, ref)"
    ") STRICT;"

    /* nginx names a client's certificate by its SHA-1; NULL for what was registered before it was kept. */
    "ALTER TABLE certificate ADD COLUMN sha1 TEXT;";

static const char signed_metadata[] =
    /* Update metadata (TUF) byte for byte as it is served: root, targets and delegated roles as they were
       uploaded, snapshot and timestamp as this server signed them. The body stands last, so that nothing else
       of a row lies behind megabytes. */
    "CREATE TABLE metadata ("
    "  repository TEXT NOT NULL CHECK (repository IN ('image', 'director')),"
    "  role TEXT NOT NULL,"
    "  version INTEGER NOT NULL,"
    "  expires_at INTEGER NOT NULL,"
    "  sha256 TEXT NOT NULL,"
    "  created_at INTEGER NOT NULL,"
    "  replaced_at INTEGER," /* NULL: the highest version, what counts now */
    "  body BLOB NOT NULL,"
    "  PRIMARY KEY (repository, role, version)"
    ") STRICT;"
    "CREATE UNIQUE INDEX metadata_current ON metadata (repository, role) WHERE replaced_at IS NULL;"
    "CREATE INDEX metadata_replaced ON metadata (replaced_at)"
    "  WHERE replaced_at IS NOT NULL AND role <> 'root';" /* a device follows roots one by one */

    /* What the vendor's targets role says of a release for a model, beside its sequence. */
    "ALTER TABLE release_model ADD COLUMN signed INTEGER NOT NULL DEFAULT 0;" /* it is in the metadata */
    "ALTER TABLE release_model ADD COLUMN security INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE release_model ADD COLUMN advisory TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE release_model ADD COLUMN unpacked_size INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE release_model ADD COLUMN upgrade_from INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE release_model ADD COLUMN counter INTEGER NOT NULL DEFAULT 0;"

    "CREATE INDEX release_draft ON release (pk) WHERE state = 'draft' AND deleted_at IS NULL;"

    /* The vendor's signed entry for microcontrollers (COSE_Sign1): what a manifest carries inside. */
    "CREATE TABLE release_entry ("
    "  release INTEGER NOT NULL REFERENCES release (pk) ON DELETE CASCADE,"
    "  model TEXT NOT NULL,"
    "  cose BLOB NOT NULL,"
    "  PRIMARY KEY (release, model)"
    ") STRICT;";

static const char directed[] =
    /* What the director signed last for a device: the bytes, since there is a row for each of a fleet. The
       manifest apart: most devices ask for one of the two. */
    "CREATE TABLE director ("
    "  device INTEGER PRIMARY KEY REFERENCES device (pk) ON DELETE CASCADE,"
    "  release INTEGER REFERENCES release (pk)," /* NULL: nothing to run */
    "  version INTEGER NOT NULL,"                /* of the file: only ever rises */
    "  expires_at INTEGER NOT NULL,"
    "  body BLOB NOT NULL,"      /* what is signed */
    "  signatures BLOB NOT NULL" /* each with its key's id; see ota/director_file.c */
    ") STRICT;"
    "CREATE TABLE director_manifest ("
    "  device INTEGER PRIMARY KEY REFERENCES device (pk) ON DELETE CASCADE,"
    "  release INTEGER REFERENCES release (pk),"
    "  version INTEGER NOT NULL,"
    "  expires_at INTEGER NOT NULL,"
    "  body BLOB NOT NULL,"
    "  signatures BLOB NOT NULL"
    ") STRICT;"

    /* A device's last action that succeeded, by one step: pk is in every index. */
    "CREATE INDEX action_succeeded ON action (device) WHERE state = 'succeeded';";

static const char retrying[] = "CREATE INDEX member_retrying ON member (deployment, device)"
                               "  WHERE state = 'waiting' AND retry_at IS NOT NULL;";

const struct migration migrations[] = {
    {1, "first tables", first},
    {2, "numbers counted as they change", tallies},
    {3, "announcements that wait for the broker", announcements},
    {4, "signed update metadata", signed_metadata},
    {5, "what the director signed for each device", directed},
    {6, "deployments that protect themselves, hawkBit's devices", migration_fleets},
    {7, "what the console in a browser needs", migration_console},
    {8, "who waits to try again", retrying},
};
const size_t migration_count = sizeof migrations / sizeof migrations[0];
