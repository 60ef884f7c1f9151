/* What no single setting can tell: listeners, files, keys and certificates that fit together, or do not. */
#include "config_fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void save(EVP_PKEY *key, struct str pem, const char *name)
{
    char path[128];
    struct err e = {0};
    snprintf(path, sizeof path, "pki/%s.key", name);
    unlink(path);
    if (pki_key_save(key, path, &e) != 0)
        fail_msg("%s", e.text);
    snprintf(path, sizeof path, "pki/%s.pem", name);
    fx_write(path, pem);
}

static void root(struct config_fixture *fx, const char *name, const char *algorithm)
{
    struct str pem;
    auto_key EVP_PKEY *key = NULL;
    if (pki_key_generate(algorithm, &key, &fx->e) != 0 ||
        pki_root_make(key, name, 1000, time(NULL) - 500 * DAY, &fx->base->arena, &pem, &fx->e) != 0)
        fail_msg("%s", fx->e.text);
    save(key, pem, name);
}

static void leaf(struct config_fixture *fx, const char *issuer, const char *name, const char *algorithm,
                 enum pki_purpose purpose, int64_t from, int64_t to)
{
    char cert_file[64], key_file[64];
    struct str pem;
    struct pki_cert cert;
    const char *const hosts[] = {"localhost", NULL};
    struct pki_issue what = {.purpose = purpose,
                             .common_name = strncmp(name, "mqtt", 4) == 0 ? "@pqota" : "localhost",
                             .names = purpose == PKI_SERVER ? hosts : NULL,
                             .not_before = time(NULL) + from * DAY,
                             .not_after = time(NULL) + to * DAY};
    auto_key EVP_PKEY *key = NULL;
    auto_ca struct pki_ca *ca = NULL;
    snprintf(cert_file, sizeof cert_file, "pki/%s.pem", issuer);
    snprintf(key_file, sizeof key_file, "pki/%s.key", issuer);
    if (pki_ca_load(cert_file, key_file, &ca, &fx->e) != 0 ||
        pki_key_generate(algorithm, &key, &fx->e) != 0 ||
        pki_issue_cert(ca, NULL, key, &what, &fx->base->arena, &pem, &cert, &fx->e) != 0)
        fail_msg("%s", fx->e.text);
    save(key, pem, name);
}

static void make_pki(struct config_fixture *fx)
{
    if (mkdir("pki", 0700) != 0)
        return;
    root(fx, "server-ca", "mldsa65");
    root(fx, "device-ca", "mldsa65");
    root(fx, "operator-ca", "mldsa65");
    root(fx, "other-ca", "mldsa65");
    root(fx, "ec-ca", "p256");
    leaf(fx, "server-ca", "server", "mldsa65", PKI_SERVER, -1, 30);
    leaf(fx, "server-ca", "weak", "mldsa44", PKI_SERVER, -1, 30);
    leaf(fx, "server-ca", "client", "mldsa65", PKI_CLIENT, -1, 30);
    leaf(fx, "server-ca", "expired", "mldsa65", PKI_SERVER, -30, -1);
    leaf(fx, "server-ca", "early", "mldsa65", PKI_SERVER, 1, 30);
    leaf(fx, "other-ca", "foreign", "mldsa65", PKI_SERVER, -1, 30);
    leaf(fx, "ec-ca", "classical", "p256", PKI_SERVER, -1, 30);
    leaf(fx, "ec-ca", "console", "p256", PKI_SERVER, -1, 30);
    leaf(fx, "ec-ca", "console-old", "p256", PKI_SERVER, -30, -1);
    leaf(fx, "ec-ca", "console-early", "p256", PKI_SERVER, 1, 30);
}

static void make_mqtt(struct config_fixture *fx)
{
    make_pki(fx);
    leaf(fx, "device-ca", "mqtt", "mldsa65", PKI_CLIENT, -1, 30);
    leaf(fx, "device-ca", "mqtt-old", "mldsa65", PKI_CLIENT, -30, -1);
    leaf(fx, "device-ca", "mqtt-server", "mldsa65", PKI_SERVER, -1, 30);
    leaf(fx, "operator-ca", "mqtt-other", "mldsa65", PKI_CLIENT, -1, 30);
    leaf(fx, "device-ca", "named", "mldsa65", PKI_CLIENT, -1, 30);
}

static void check(struct config_fixture *fx, const char *text, const char *const *parts)
{
    config_take(fx, text);
    int rc = config_check(&fx->config, &fx->e);
    if (parts == NULL) {
        if (rc != 0)
            fail_msg("%s", fx->e.text);
        return;
    }
    if (rc == 0)
        fail_msg("taken: %s", text);
    config_says(fx, parts);
}
#define CHECK_FAILS(fx, text, ...) check(fx, text, (const char *const[]){__VA_ARGS__, NULL})

static void what_fits_together(void **state)
{
    struct config_fixture *fx = *state;
    make_pki(fx);
    check(fx, "", NULL);
    check(fx, "[classical]\nenabled = yes\n[plain]\nenabled = yes\nlisten = [::1]:1, 127.8.9.1:2\n", NULL);
    check(fx, "[tls]\nkem = mlkem1024\nsig = mldsa44\ncertificate = pki/weak.pem\nkey = pki/weak.key\n",
          NULL);
    check(fx, "[plain]\nenabled = yes\nlisten = 0.0.0.0:1\ninsecure_anywhere = yes\n", NULL);
    /* Other addresses, any ports, other families, one that is off. */
    check(fx, "[tls]\nlisten = 127.0.0.1:8444\n[console]\nlisten = 127.0.0.2:8444, [::]:8444\n", NULL);
    check(fx, "[tls]\nlisten = 127.0.0.1:0\n[console]\nlisten = 127.0.0.1:0\n", NULL);
    check(fx, "[tls]\nlisten = 127.0.0.1:8444\n[console]\nenabled = no\n", NULL);
    /* A listener that is off needs no files. */
    check(fx, "[tls]\nenabled = no\ncertificate = absent.pem\n[classical]\ncertificate = absent.pem\n", NULL);
    check(fx, "[console]\nenabled = no\ncertificate = absent.pem\n", NULL);
    check(fx, "[tls]\nenabled = no\n[console]\ncertificate = pki/server.pem\nkey = pki/server.key\n", NULL);
    assert_int_equal(config_check_console_life(&fx->config, &fx->e), 0);
    /* A browser's certificate that is over keeps no device from its updates. */
    check(fx, "[console]\ncertificate = pki/console-old.pem\nkey = pki/console-old.key\n", NULL);
    assert_int_not_equal(config_check_console_life(&fx->config, &fx->e), 0);
    config_says(fx, (const char *const[]){"[console]", "pki/console-old.pem expired at 20", NULL});
    check(fx, "[console]\ncertificate = pki/console-early.pem\nkey = pki/console-early.key\n", NULL);
    assert_int_not_equal(config_check_console_life(&fx->config, &fx->e), 0);
    config_says(fx, (const char *const[]){"[console]", "not valid before 20", NULL});
}

static void what_does_not(void **state)
{
    struct config_fixture *fx = *state;
    make_pki(fx);
    CHECK_FAILS(fx, "[tls]\nenabled = no\n[unix]\nenabled = no\n", "no listener is enabled");
    CHECK_FAILS(fx, "[tls]\ncertificate = pki/absent.pem\n", "[tls]", "pki/absent.pem", "No such file");
    CHECK_FAILS(fx, "[tls]\nkey = pki/absent.key\n", "pki/absent.key");
    CHECK_FAILS(fx, "[tls]\nkey = pki/client.key\n",
                "pki/client.key is not that of the certificate pki/server.pem");
    CHECK_FAILS(fx, "[tls]\nkey = pki/server.pem\n", "holds a certificate and no private key");
    CHECK_FAILS(fx, "[tls]\ncertificate = pki/client.pem\nkey = pki/client.key\n", "not for a server");
    CHECK_FAILS(fx, "[tls]\ncertificate = pki/expired.pem\nkey = pki/expired.key\n",
                "pki/expired.pem expired at 20");
    CHECK_FAILS(fx, "[tls]\ncertificate = pki/early.pem\nkey = pki/early.key\n", "not valid before 20");
    CHECK_FAILS(fx, "[tls]\ncertificate = pki/foreign.pem\nkey = pki/foreign.key\n", "pki/server-ca.pem");
    CHECK_FAILS(fx, "[tls]\ncertificate = pki/weak.pem\nkey = pki/weak.key\n", "[tls]");
    CHECK_FAILS(fx, "[tls]\npolicy = cnsa2\n", "[tls]");
    CHECK_FAILS(fx, "[tls]\nkem = mlkem999\n", "[tls]", "mlkem999");
    CHECK_FAILS(fx, "[tls]\nsig = rsa\n", "[tls]", "rsa");
    CHECK_FAILS(fx, "[plain]\nenabled = yes\nlisten = 127.0.0.1:1, 192.0.2.1:2\n", "192.0.2.1:2",
                "insecure_anywhere");
    CHECK_FAILS(fx, "[plain]\nenabled = yes\nlisten = [::]:2\n", "only loopback addresses");
    CHECK_FAILS(fx, "[tls]\nlisten = [::]:8443, 127.0.0.1:8444\n", "[tls] listen = [::]:8443, 127.0.0.1:8444",
                "[console] listen = [::]:8444, 0.0.0.0:8444", "port 8444: give [console] another port");
    CHECK_FAILS(fx, "[plain]\nenabled = yes\nlisten = [::1]:8443\n", "port 8443: give [plain] another port");
    CHECK_FAILS(fx, "[classical]\nenabled = yes\ncertificate = pki/absent.pem\n", "[classical]",
                "pki/absent.pem");
    CHECK_FAILS(fx, "[classical]\nenabled = yes\ncertificate = pki/server.pem\nkey = pki/server.key\n",
                "[classical]");
    CHECK_FAILS(fx, "[console]\ncertificate = pki/absent.pem\n", "[console]", "pki/absent.pem", "pqota init");
    CHECK_FAILS(fx, "[console]\nkey = pki/server.key\n", "[console]", "is not that of");
    CHECK_FAILS(fx, "[console]\ncertificate = pki/server.pem\nkey = pki/server.key\n", "[console]",
                "of one kind");
    CHECK_FAILS(fx, "[pki]\ndevice_roots = absent.pem\n", "device_roots", "absent.pem");
    CHECK_FAILS(fx, "[pki]\noperator_roots = pki/server.key\n", "operator_roots", "holds no certificate");
    CHECK_FAILS(fx, "[pki]\ndevice_ca = pki/other-ca.pem\ndevice_ca_key = pki/other-ca.key\n",
                "not among device_roots");
    CHECK_FAILS(fx, "[pki]\ndevice_ca_key = pki/other-ca.key\n", "pki/other-ca.key is not that of");
    CHECK_FAILS(fx, "[pki]\ndevice_ca = pki/server.pem\ndevice_ca_key = pki/server.key\n",
                "for no authority");
    CHECK_FAILS(fx, "[server]\ndata_dir = no/such/folder\n", "data_dir", "no/such");
    CHECK_FAILS(fx, "[server]\ndata_dir = pki/server.pem\n", "is not a folder");
    CHECK_FAILS(fx, "[unix]\npath = nowhere/s.sock\n", "[unix] path", "nowhere");
    CHECK_FAILS(fx, "[unix]\nproxy = yes\nmode = 0666\n", "[unix] mode = 0666", "0660");
    char text[256];
    snprintf(text, sizeof text, "[unix]\npath = %0120d\n", 1);
    CHECK_FAILS(fx, text, "at most 107 bytes");
}

static void the_broker(void **state)
{
    struct config_fixture *fx = *state;
    make_mqtt(fx);
#define MQTT "[mqtt]\nenabled = yes\n"
#define MQTT_CERT(name) MQTT "certificate = pki/" name ".pem\nkey = pki/" name ".key\n"
    check(fx, MQTT, NULL);
    check(fx, MQTT "broker = [::1]:8883\n", NULL);
    check(fx, MQTT_CERT("mqtt-old"), NULL);    /* the server renews it */
    check(fx, MQTT_CERT("mqtt-absent"), NULL); /* and makes it */
    check(fx, "[mqtt]\ncertificate = absent.pem\nbroker = :::\n", NULL);
    CHECK_FAILS(fx, MQTT "broker = here:there\n", "[mqtt] broker", "here:there");
    CHECK_FAILS(fx, MQTT "ca = pki/absent.pem\n", "[mqtt]", "pki/absent.pem");
    CHECK_FAILS(fx, MQTT "key = pki/client.key\n", "[mqtt] certificate and key", "is not that of");
    CHECK_FAILS(fx, MQTT "key = pki/absent.key\n", "[mqtt] certificate and key", "pki/absent.key");
    CHECK_FAILS(fx, MQTT_CERT("mqtt-server"), "[mqtt] certificate", "not for a client");
    CHECK_FAILS(fx, MQTT_CERT("mqtt-other"), "[mqtt] certificate", "pki/device-ca.pem");
    CHECK_FAILS(fx, MQTT_CERT("named"), "names \"localhost\"", "@pqota");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_together),
        cmocka_unit_test(what_does_not),
        cmocka_unit_test(the_broker),
    };
    return cmocka_run_group_tests(tests, config_setup, config_teardown);
}
