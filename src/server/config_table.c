/* Every setting of the server: what is read, checked, written by `pqota init` and explained in the manual. */
#include "server/config_table.h"

#include <string.h>

#define AT(field) offsetof(struct server_config, field)
#define KIB 1024LL
#define GIB (KIB * KIB * KIB)

static const char *const levels[] = {"debug", "info", "warn", "error", NULL}; /* as enum log_level */
static const char *const formats[] = {"logfmt", "json", NULL};                /* as enum log_format */
static const char *const cryptos[] = {"auto", "openssl", "lattice", NULL};    /* as enum tls_crypto */
static const char *const policies[] = {"balanced", "cnsa2", "constrained", NULL};

const struct config_section config_sections[] = {
    {"server", "The process: its data, its log, its threads."},
    {"tls", "Devices and operators: TLS 1.3 with post-quantum key exchange and certificates."},
    {"console", "The console, for people with a browser: TLS 1.3 with post-quantum key exchange alone. Who "
                "signs in there "
                "has an account (pqota console prints a link for the first one)."},
    {"unix", "A Unix socket for the local command line, metrics, and a proxy in front."},
    {"plain", "HTTP without TLS, for a proxy on the same machine."},
    {"classical",
     "TLS without post-quantum algorithms, for devices that cannot do better. An attacker who records "
     "such a connection today reads it once there is a quantum computer."},
    {"pki", "Who is believed, and what issues device certificates."},
    {"trust",
     "Signed update metadata (TUF): who vouches for firmware, so that whoever takes this server does not "
     "own the devices. pqota trust init makes the keys."},
    {"accounts",
     "Scripts that log in with name and password at hawkBit's management interface. pqota account create "
     "makes one. At the console accounts sign in whatever stands here."},
    {"devices", "What devices are told and what is kept of their reports."},
    {"deployments", "What holds for each deployment."},
    {"ddi",
     "hawkBit's device protocol (DDI), for device software that exists: SWUpdate, rauc-hawkbit-updater, "
     "Zephyr. What hawkBit's management interface has set, at /rest/v1/system/configs, wins over what stands "
     "here."},
    {"mqtt",
     "A broker to which the server announces releases, deployments and events, and by which devices may "
     "report."},
    {"limits", "How much at once, how large, how long. Reaching one is logged and counted, never fatal."},
    {"retention", "How long the past is kept."},
};
const size_t config_section_count = sizeof config_sections / sizeof config_sections[0];

const struct config_row config_rows[] = {
    {"server", "data_dir", CONFIG_PATH, AT(data_dir), "data", 1, 0, NULL,
     "Folder of the database and the firmware files. One server at a time uses it."},
    {"server", "log_level", CONFIG_ENUM, AT(log_level), "info", 0, 0, levels, "The least that is logged."},
    {"server", "log_format", CONFIG_ENUM, AT(log_format), "logfmt", 0, 0, formats,
     "One event a line, for people and grep (logfmt) or for a collector (json)."},
    {"server", "loops", CONFIG_INT, AT(loops), "0", 0, 256, NULL,
     "Threads that serve connections. 0 is one for each processor core."},
    {"server", "drain_seconds", CONFIG_INT, AT(drain_seconds), "30", 0, 3600, NULL,
     "How long a stopping server waits for requests under way, in seconds."},
    {"server", "public_url", CONFIG_URL, AT(public_url), "", 0, 0, NULL,
     "What links to firmware begin with, such as https://updates.example.com. Empty: the name and port that "
     "the "
     "client used."},
    {"server", "secret_key", CONFIG_PATH, AT(secret_key), "secret.key", 1, 0, NULL,
     "A file of 32 random bytes with which secrets in the database, such as devices' tokens, are sealed. "
     "Made "
     "when it is missing and nothing is sealed yet. No backup of the database has it: keep a copy "
     "elsewhere."},

    {"tls", "enabled", CONFIG_BOOL, AT(tls), "yes", 0, 0, NULL, "Whether to listen here."},
    {"tls", "listen", CONFIG_LISTEN, AT(tls_listen), "[::]:8443, 0.0.0.0:8443", 0, 0, NULL,
     "Addresses and ports. [::] is every IPv6 address and no IPv4 one; 0.0.0.0 is every IPv4 address."},
    {"tls", "policy", CONFIG_CHOICE, AT(tls_policy), "balanced", 0, 0, policies,
     "Algorithms: balanced (X25519MLKEM768 first, ML-DSA-65), cnsa2 (ML-KEM-1024, ML-DSA-87, AES-256 only), "
     "constrained (ML-KEM-512 or 768, ML-DSA-44). The certificate's key has to fit."},
    {"tls", "kem", CONFIG_TEXT, AT(tls_kem), "", 0, 0, NULL,
     "Key exchange instead of the policy's, such as mlkem1024,x25519mlkem768. Empty: the policy's."},
    {"tls", "sig", CONFIG_TEXT, AT(tls_sig), "", 0, 0, NULL,
     "Signatures instead of the policy's, such as mldsa87. Empty: the policy's."},
    {"tls", "crypto", CONFIG_ENUM, AT(tls_crypto), "auto", 0, 0, cryptos,
     "Whose code computes ML-KEM and ML-DSA: OpenSSL's, or that of the provider pqlattice, which pqota "
     "brings along and which uses the processor's vectors (lattice; the server does not start where its "
     "self-test fails). auto: the provider's where the processor has AVX2 and the self-test passes, else "
     "OpenSSL's. For all listeners."},
    {"tls", "certificate", CONFIG_PATH, AT(tls_certificate), "pki/server.pem", 1, 0, NULL,
     "The server's certificate, PEM, then any intermediate ones."},
    {"tls", "key", CONFIG_KEY, AT(tls_key), "pki/server.key", 1, 0, NULL,
     "Its private key: a file, or a URI such as pkcs11:object=server."},
    {"tls", "sessions", CONFIG_INT, AT(tls_sessions), "100000", 1, 10000000, NULL,
     "Sessions kept so that a device may resume one instead of a full handshake; the oldest goes first."},
    {"tls", "verified_certificates", CONFIG_INT, AT(tls_verified), "100000", 1, 10000000, NULL,
     "Client certificates remembered as verified, so that the next full handshake of a device need not "
     "verify its chain again. Times and revocation are looked at each time."},
    {"tls", "session_seconds", CONFIG_INT, AT(tls_session_seconds), "86400", 1, 604800, NULL,
     "How long a session may be resumed, in seconds (RFC 8446 allows seven days)."},

    {"console", "enabled", CONFIG_BOOL, AT(console), "yes", 0, 0, NULL, "Whether to listen here."},
    {"console", "listen", CONFIG_LISTEN, AT(console_listen), "[::]:8444, 0.0.0.0:8444", 0, 0, NULL,
     "Addresses and ports."},
    {"console", "certificate", CONFIG_PATH, AT(console_certificate), "pki/console.pem", 1, 0, NULL,
     "A certificate that browsers believe, PEM, then any intermediate ones; its key is ECDSA, since they "
     "take "
     "no ML-DSA authority yet. A client that takes ML-DSA alone is shown that of [tls]."},
    {"console", "key", CONFIG_KEY, AT(console_key), "pki/console.key", 1, 0, NULL,
     "Its private key: a file, or a URI such as pkcs11:object=console."},
    {"console", "session_hours", CONFIG_INT, AT(console_session_hours), "12", 1, 720, NULL,
     "How long somebody stays signed in, in hours."},
    {"console", "streams", CONFIG_INT, AT(console_streams), "200", 1, 10000, NULL,
     "Pages that are kept up to date at once; one more is told to come back later."},
    {"console", "memory", CONFIG_SIZE, AT(console_memory), "64M", 4 * KIB *KIB, GIB, NULL,
     "What those pages may hold in memory: so much of answers, and as much again on its way to them."},

    {"unix", "enabled", CONFIG_BOOL, AT(unix_socket), "yes", 0, 0, NULL, "Whether to listen here."},
    {"unix", "path", CONFIG_PATH, AT(unix_path), "pqota.sock", 1, 0, NULL, "The socket's file."},
    {"unix", "mode", CONFIG_MODE, AT(unix_mode), "0660", 0, 0777, NULL,
     "Its permissions, octal: whoever may write to it is the local administrator."},
    {"unix", "proxy", CONFIG_BOOL, AT(unix_proxy), "no", 0, 0, NULL,
     "Whether a proxy such as nginx comes here and says who its clients are, in the header X_Pqota_Client "
     "that it always overwrites; pqota nginx-conf writes its configuration. Whoever may write to the socket "
     "can then act as any device and any operator."},

    {"plain", "enabled", CONFIG_BOOL, AT(plain), "no", 0, 0, NULL, "Whether to listen here."},
    {"plain", "listen", CONFIG_LISTEN, AT(plain_listen), "127.0.0.1:8080", 0, 0, NULL,
     "Addresses and ports."},
    {"plain", "insecure_anywhere", CONFIG_BOOL, AT(insecure_plain_anywhere), "no", 0, 0, NULL,
     "Allows addresses other than loopback. Everybody on the way can then read and change what is sent."},
    {"plain", "insecure_proxy_addresses", CONFIG_NETS, AT(insecure_proxies), "", 0, 0, NULL,
     "Addresses and networks, such as 192.0.2.7, 2001:db8::/64, of proxies that are believed when they say "
     "who their clients are, devices alone. Whoever can send from there, or change what is sent on the way, "
     "can act as any device. [unix] proxy has no such weakness."},

    {"classical", "enabled", CONFIG_BOOL, AT(classical), "no", 0, 0, NULL, "Whether to listen here."},
    {"classical", "listen", CONFIG_LISTEN, AT(classical_listen), "[::]:8445, 0.0.0.0:8445", 0, 0, NULL,
     "Addresses and ports."},
    {"classical", "certificate", CONFIG_PATH, AT(classical_certificate), "pki/classical.pem", 1, 0, NULL,
     "A certificate with an ECDSA key, PEM. Read only when this listener is enabled."},
    {"classical", "key", CONFIG_KEY, AT(classical_key), "pki/classical.key", 1, 0, NULL, "Its private key."},

    {"pki", "device_roots", CONFIG_PATH, AT(device_roots), "pki/device-ca.pem", 1, 0, NULL,
     "Roots that device certificates end in, PEM; while changing a root, the old and the new one."},
    {"pki", "operator_roots", CONFIG_PATH, AT(operator_roots), "pki/operator-ca.pem", 1, 0, NULL,
     "Roots that operators' certificates end in, likewise."},
    {"pki", "server_roots", CONFIG_PATH, AT(server_roots), "pki/server-ca.pem", 1, 0, NULL,
     "Roots handed to devices, by which they know this server, likewise."},
    {"pki", "device_ca", CONFIG_PATH, AT(device_ca), "pki/device-ca.pem", 1, 0, NULL,
     "The authority that issues certificates to devices."},
    {"pki", "device_ca_key", CONFIG_KEY, AT(device_ca_key), "pki/device-ca.key", 1, 0, NULL,
     "Its private key: a file, or a URI such as pkcs11:object=device-ca."},
    {"pki", "device_days", CONFIG_INT, AT(device_days), "365", 1, 3650, NULL,
     "Life of a device's certificate, in days; it is renewed from two thirds on."},
    {"pki", "renew_grace_days", CONFIG_INT, AT(renew_grace_days), "90", 0, 3650, NULL,
     "How long after its end a certificate may still be used to renew it, and for nothing else, in days."},
    {"pki", "crl_hours", CONFIG_INT, AT(crl_hours), "24", 1, 720, NULL,
     "Life of the published revocation list, in hours; it is made anew at each revocation and before its "
     "end."},

    {"trust", "dir", CONFIG_PATH, AT(trust_dir), "trust", 1, 0, NULL,
     "Folder of the first metadata, image/1.root.json, image/1.targets.json and director/1.root.json: read "
     "when the database has none."},
    {"trust", "timestamp_key", CONFIG_KEY, AT(trust_timestamp_key), "trust/online/timestamp.key", 1, 0, NULL,
     "The pair that signs the image repository's timestamp.json: a file, or a URI such as "
     "pkcs11:object=timestamp."},
    {"trust", "snapshot_key", CONFIG_KEY, AT(trust_snapshot_key), "trust/online/snapshot.key", 1, 0, NULL,
     "The pair that signs its snapshots, likewise."},
    {"trust", "director_key", CONFIG_KEY, AT(trust_director_key), "trust/online/director.key", 1, 0, NULL,
     "The pair that signs what each device should run, likewise."},
    {"trust", "manifest_key", CONFIG_KEY, AT(trust_manifest_key), "trust/online/manifest.key", 1, 0, NULL,
     "The key that signs the same for microcontrollers, likewise."},
    {"trust", "timestamp_hours", CONFIG_INT, AT(timestamp_hours), "48", 1, 720, NULL,
     "Life of timestamp.json, in hours; each online file is made anew when a third of its life is left. A "
     "device refuses to update once it is over."},
    {"trust", "snapshot_days", CONFIG_INT, AT(snapshot_days), "14", 1, 365, NULL,
     "Life of a snapshot, in days."},
    {"trust", "director_days", CONFIG_INT, AT(director_days), "7", 1, 365, NULL,
     "Life of what the server signs for one device, in days."},
    {"trust", "insecure_unsigned", CONFIG_BOOL, AT(insecure_unsigned), "no", 0, 0, NULL,
     "Publishes what is uploaded at once, signed by nobody. Whoever takes this server can then put any "
     "firmware on devices that allow it too."},

    {"accounts", "enabled", CONFIG_BOOL, AT(accounts), "yes", 0, 0, NULL,
     "Whether a name and password count. There is no account until one is made."},

    {"devices", "poll_seconds", CONFIG_INT, AT(poll_seconds), "300", 1, 604800, NULL,
     "How often agents ask for an update, in seconds, give or take the jitter that they add."},
    {"devices", "status_max", CONFIG_INT, AT(status_max), "1000", 10, 100000, NULL,
     "Reports kept for one update of one device; more are refused."},

    {"deployments", "approval", CONFIG_BOOL, AT(approval), "no", 0, 0, NULL,
     "Whether another operator than who made it has to approve a deployment before it begins."},

    {"ddi", "enabled", CONFIG_BOOL, AT(ddi), "no", 0, 0, NULL, "Whether devices may come by it."},
    {"ddi", "model", CONFIG_TEXT, AT(ddi_model), "generic", 0, 0, NULL,
     "The model of a device that registers itself."},
    {"ddi", "poll_seconds", CONFIG_INT, AT(ddi_poll_seconds), "0", 0, 86399, NULL,
     "How often these devices are told to ask, in seconds. 0: as in [devices], a day at most."},
    {"ddi", "target_token", CONFIG_BOOL, AT(ddi_target_token), "yes", 0, 0, NULL,
     "Whether a device may come with a token of its own (pqota device add)."},
    {"ddi", "gateway_token", CONFIG_BOOL, AT(ddi_gateway_token), "no", 0, 0, NULL,
     "Whether a device may come with the token that all share (pqota setting set "
     "authentication.gatewaytoken.key). Whoever has it can act as any device that has no certificate, and "
     "register new ones."},
    {"ddi", "header", CONFIG_BOOL, AT(ddi_header), "no", 0, 0, NULL,
     "Whether a proxy may say who a device is in the header X-Controller-Id, and who issued its certificate "
     "in X-Authority or X-Ssl-Issuer-Hash-1, as hawkBit has it: on the Unix socket, and from "
     "insecure_header_addresses. The proxy has to take away what its clients send under these names. "
     "[unix] proxy is better."},
    {"ddi", "header_authority", CONFIG_TEXT, AT(ddi_header_authority), "", 0, 0, NULL,
     "Which issuers count then, separated by commas."},
    {"ddi", "insecure_header_addresses", CONFIG_NETS, AT(insecure_header_addresses), "", 0, 0, NULL,
     "Addresses and networks of proxies that are believed so over TCP. Whoever can send from there can act "
     "as any device that has no certificate."},
    {"ddi", "registrations_per_minute", CONFIG_INT, AT(ddi_registrations), "600", 0, 1000000, NULL,
     "How many devices may register themselves in a minute; more are answered 429, and come again. 0: none."},
    {"ddi", "insecure_unsigned_models", CONFIG_TEXT, AT(insecure_unsigned_models), "", 0, 0, NULL,
     "Models, separated by commas, whose releases need no signature, since their devices check none. Whoever "
     "takes this server can put any firmware on them."},
    {"ddi", "version_attribute", CONFIG_TEXT, AT(ddi_version_attribute), "version", 0, 0, NULL,
     "The attribute by which a device tells the version that it runs."},
    {"ddi", "download_http", CONFIG_BOOL, AT(ddi_download_http), "no", 0, 0, NULL,
     "Whether devices are given links without TLS too (download-http), to the listener of [plain]."},

    {"mqtt", "enabled", CONFIG_BOOL, AT(mqtt), "no", 0, 0, NULL,
     "Whether to connect to a broker. pqota mosquitto-conf writes one's configuration."},
    {"mqtt", "broker", CONFIG_TEXT, AT(mqtt_broker), "localhost:8883", 0, 0, NULL,
     "Its name, as its certificate says it, and port."},
    {"mqtt", "ca", CONFIG_PATH, AT(mqtt_ca), "pki/server-ca.pem", 1, 0, NULL,
     "Roots that the broker's certificate must end in, PEM."},
    {"mqtt", "certificate", CONFIG_PATH, AT(mqtt_certificate), "pki/mqtt.pem", 1, 0, NULL,
     "What the server shows to the broker, issued by device_ca to the name @pqota. Made when it is missing, "
     "and renewed by the server itself from two thirds of its life on."},
    {"mqtt", "key", CONFIG_KEY, AT(mqtt_key), "pki/mqtt.key", 1, 0, NULL, "Its private key, likewise."},
    {"mqtt", "wakes_per_second", CONFIG_INT, AT(mqtt_wakes_per_second), "100", 1, 1000000, NULL,
     "How many devices an announcement may wake a second: each is told to wait a random time, so long that "
     "those concerned spread out, at most an hour."},

    {"limits", "connections", CONFIG_INT, AT(connections), "16000", 16, 1000000, NULL,
     "Open connections, all listeners together."},
    {"limits", "connections_per_address", CONFIG_INT, AT(connections_per_address), "1000", 1, 1000000, NULL,
     "Open connections from one address (IPv6: one /64). Devices behind one router share an address."},
    {"limits", "handshakes_waiting", CONFIG_INT, AT(handshakes_waiting), "4096", 1, 1000000, NULL,
     "Full handshakes that wait for their turn, a loop. Clients beyond are turned away (TLS alert "
     "internal_error), as are those who would wait for more than half of handshake_seconds."},
    {"limits", "handshake_seconds", CONFIG_INT, AT(handshake_seconds), "10", 1, 600, NULL,
     "For a TLS handshake, in seconds."},
    {"limits", "header_seconds", CONFIG_INT, AT(header_seconds), "10", 1, 600, NULL,
     "From a request's first byte to the end of its head, in seconds."},
    {"limits", "body_seconds", CONFIG_INT, AT(body_seconds), "60", 1, 3600, NULL,
     "The stretch over which a body's speed is measured, in seconds."},
    {"limits", "body_bytes_per_second", CONFIG_SIZE, AT(body_bytes_per_second), "1000", 1, GIB, NULL,
     "A body slower than this is cut off, in bytes a second."},
    {"limits", "idle_seconds", CONFIG_INT, AT(idle_seconds), "75", 1, 3600, NULL,
     "Between two requests on one connection, in seconds."},
    {"limits", "write_seconds", CONFIG_INT, AT(write_seconds), "60", 1, 3600, NULL,
     "For a client that takes no byte of a response, in seconds."},
    {"limits", "head_bytes", CONFIG_SIZE, AT(head_bytes), "32K", KIB, KIB *KIB, NULL, "A request's head."},
    {"limits", "target_bytes", CONFIG_SIZE, AT(target_bytes), "16K", 256, KIB *KIB, NULL,
     "A request's target, the path and query in its first line."},
    {"limits", "upload_bytes", CONFIG_SIZE, AT(upload_bytes), "4G", 1, KIB *GIB, NULL, "One firmware file."},
    {"limits", "requests_per_connection", CONFIG_INT, AT(requests_per_connection), "100000", 1, 1000000000,
     NULL, "Requests on one connection before it is closed."},
    {"limits", "write_queue", CONFIG_INT, AT(write_queue), "4096", 1, 1000000, NULL,
     "Requests waiting to change the database; more are answered 503."},
    {"limits", "query_queue", CONFIG_INT, AT(query_queue), "1024", 1, 1000000, NULL,
     "Lists and searches waiting; more are answered 503."},
    {"limits", "sign_queue", CONFIG_INT, AT(sign_queue), "256", 1, 1000000, NULL,
     "Certificates waiting to be signed; more are answered 503."},
    {"limits", "file_queue", CONFIG_INT, AT(file_queue), "1024", 1, 1000000, NULL,
     "Disk operations waiting; more are answered 503."},
    {"limits", "password_queue", CONFIG_INT, AT(password_queue), "64", 1, 100000, NULL,
     "Passwords waiting to be checked; more are answered 503."},
    {"limits", "query_threads", CONFIG_INT, AT(query_threads), "2", 1, 64, NULL,
     "Threads for lists and searches."},
    {"limits", "sign_threads", CONFIG_INT, AT(sign_threads), "2", 1, 64, NULL,
     "Threads that sign certificates."},
    {"limits", "file_threads", CONFIG_INT, AT(file_threads), "4", 1, 64, NULL,
     "Threads that wait for the disk."},
    {"limits", "password_threads", CONFIG_INT, AT(password_threads), "1", 1, 16, NULL,
     "Threads that check passwords. Each uses 64 MiB, and about a fifth of a second for one."},
    {"limits", "query_seconds", CONFIG_INT, AT(query_seconds), "5", 1, 300, NULL,
     "For one list or search, in seconds."},

    {"retention", "event_days", CONFIG_INT, AT(event_days), "90", 1, 36500, NULL, "Events, in days."},
    {"retention", "action_days", CONFIG_INT, AT(action_days), "365", 1, 36500, NULL,
     "Finished updates of devices and what they reported, in days."},
    {"retention", "blob_hours", CONFIG_INT, AT(blob_hours), "24", 1, 87600, NULL,
     "Files that no firmware uses any more, in hours."},
    {"retention", "backups", CONFIG_INT, AT(backups), "3", 1, 1000, NULL,
     "Copies of the database made before a newer pqota changes it."},
};
const size_t config_row_count = sizeof config_rows / sizeof config_rows[0];
_Static_assert(sizeof config_rows / sizeof config_rows[0] <= CONFIG_ROWS_MAX, "raise CONFIG_ROWS_MAX");

const struct config_row *config_find(const char *section, const char *key)
{
    for (size_t i = 0; i < config_row_count; i++)
        if (strcmp(config_rows[i].section, section) == 0 && strcmp(config_rows[i].key, key) == 0)
            return &config_rows[i];
    return NULL;
}
