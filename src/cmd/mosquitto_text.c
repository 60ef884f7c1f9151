/* The texts of `pqota mosquitto-conf`, for mosquitto 2.0. Their comments are for whoever runs the broker. */
#include "cmd/mosquitto.h"

#include "mqtt/mqtt.h"

#define OPERATORS_MAX 1000
#define DEVICES_MAX 200000 /* connections; LimitNOFILE below must allow for them */

static int main_conf(const struct mosquitto *m, struct buf *out)
{
    return buf_printf(out,
                      "# A broker that serves nothing but pqota:\n"
                      "#   OPENSSL_CONF=%s/openssl.cnf mosquitto -c %s/mosquitto.conf\n"
                      "# Where Debian's mosquitto.service runs, conf.d/pqota.conf is linked into "
                      "/etc/mosquitto/conf.d instead.\n"
                      "user %s\n"
                      "log_dest stderr\n"
                      "log_type error\n"
                      "log_type warning\n"
                      "log_type notice\n"
                      "log_type information\n"
                      "persistence true\n"
                      "persistence_location %s/data/\n"
                      "include_dir %s/conf.d\n",
                      m->dir, m->dir, m->user, m->dir, m->dir);
}

/* name: what makes the user's name of the client's certificate. */
static int listener(const struct mosquitto *m, struct buf *out, int port, const char *roots, const char *name,
                    int most)
{
    return buf_printf(out,
                      "listener %d%s%s\n"
                      "max_connections %d\n"
                      "cafile %s/%s\n"
                      "certfile %s/broker.pem\n"
                      "keyfile %s/broker.key\n"
                      "tls_version tlsv1.3\n"
                      "ciphers_tls1.3 %s\n"
                      "require_certificate true\n"
                      "%s true\n"
                      "# One connection an identity: nobody can end another's by taking its client id.\n"
                      "use_username_as_clientid true\n",
                      port, m->listen != NULL ? " " : "", m->listen != NULL ? m->listen : "", most, m->dir,
                      roots, m->dir, m->dir, m->algs.policy->ciphersuites, name);
}

/* Not with per_listener_settings: mosquitto 2.0 then drops what comes for a client that is away, since an
   access list of a listener is not looked at without a connection (its issue 2618). */
static int listeners_conf(const struct mosquitto *m, struct buf *out)
{
    int rc = buf_printf(out,
                        "# Made by pqota mosquitto-conf. Key exchange and signatures are pinned by\n"
                        "# OPENSSL_CONF=%s/openssl.cnf in mosquitto's environment: it has no setting for "
                        "them.\n"
                        "allow_anonymous false\n"
                        "acl_file %s/access.acl\n"
                        "set_tcp_nodelay true\n"
                        "max_packet_size %d\n"
                        "max_inflight_messages %d\n"
                        "# What waits for a client that is away: for the server while it restarts.\n"
                        "max_queued_messages 100000\n"
                        "max_queued_bytes 67108864\n"
                        "persistent_client_expiration 14d\n"
                        "autosave_interval 60\n"
                        "\n"
                        "# Devices, and the server: known by the common name.\n",
                        m->dir, m->dir, MQTT_PACKET_MAX, MQTT_IN_FLIGHT_MAX);
    if (rc == 0)
        rc = listener(m, out, m->port, "device-roots.pem", "use_identity_as_username", DEVICES_MAX);
    if (rc == 0 && m->crl != NULL)
        rc = buf_printf(out,
                        "# Read again at SIGHUP. Once it has expired, every device is refused.\n"
                        "crlfile %s\n",
                        m->crl);
    if (rc == 0 && m->operator_port != 0)
        rc = buf_printf(out, "\n# Operators: known as CN=NAME, which no device can be called.\n");
    if (rc == 0 && m->operator_port != 0)
        rc = listener(m, out, m->operator_port, "operator-roots.pem", "use_subject_as_username",
                      OPERATORS_MAX);
    return rc;
}

static int access_list(const struct mosquitto *m, struct buf *out)
{
    int rc = buf_printf(
        out, "# %%u is the client's name: a device's id, or the server's, which no device can have.\n"
             "# Read again at SIGHUP.\n"
             "pattern read ota/update/available\n"
             "pattern read ota/devices/%%u/update\n"
             "pattern write ota/devices/%%u/status\n"
             "\n"
             "user " CONFIG_MQTT_NAME "\n"
             "topic readwrite ota/#\n");
    for (size_t i = 0; rc == 0 && m->operator_port != 0 && i < m->operator_count; i++)
        rc = buf_printf(out,
                        "\n"
                        "user CN=%s\n"
                        "topic read ota/update/available\n"
                        "topic read ota/devices/+/update\n"
                        "topic read ota/fleet/events\n"
                        "topic deny ota/devices/+/status\n",
                        m->operators[i]);
    return rc;
}

static int openssl_conf(const struct mosquitto *m, struct buf *out)
{
    return buf_printf(out,
                      "# What mosquitto negotiates, by OPENSSL_CONF in its environment.\n"
                      "openssl_conf = pqota\n"
                      "[pqota]\n"
                      "ssl_conf = ssl\n"
                      "[ssl]\n"
                      "system_default = negotiate\n"
                      "[negotiate]\n"
                      "MinProtocol = TLSv1.3\n"
                      "Groups = %s\n"
                      "SignatureAlgorithms = %s\n"
                      "ClientSignatureAlgorithms = %s\n",
                      m->algs.groups, m->algs.sigalgs, m->algs.sigalgs);
}

static int unit(const struct mosquitto *m, struct buf *out)
{
    return buf_printf(out,
                      "# For /etc/systemd/system/mosquitto.service.d/pqota.conf\n"
                      "[Service]\n"
                      "Environment=\"OPENSSL_CONF=%s/openssl.cnf\"\n"
                      "LimitNOFILE=%d\n",
                      m->dir, DEVICES_MAX + OPERATORS_MAX + 1000);
}

const struct mosquitto_file mosquitto_texts[] = {
    {"mosquitto.conf", main_conf, false},    {"conf.d/pqota.conf", listeners_conf, false},
    {"access.acl", access_list, true},       {"openssl.cnf", openssl_conf, false},
    {"mosquitto.service.conf", unit, false}, {NULL, NULL, false},
};
