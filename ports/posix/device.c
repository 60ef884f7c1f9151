/*
 * A whole device on libpqota_client and libpqc_tls, as small as a port to a microcontroller begins. Each
 * start of this program is a boot; it ends with 10 where a microcontroller would reset.
 *
 *   pqota-device [-o] [-w SECONDS] --device ID --model NAME --vendor-key FILE --director-key FILE
 *                DIR HOST PORT
 *   pqota-device [-o] [-w SECONDS] --insecure-unsigned DIR HOST PORT
 *   pqota-device -l DIR HOST PORT
 *
 * DIR has ca.pem, device.crt and device.key, and gets the flash. -o ends when there is nothing to do, -l
 * shows the latest firmware and ends, -w bounds every wait. On a microcontroller the rest is part of the
 * firmware: who it is, and whose signatures count (raw ML-DSA-44 keys, up to two of each).
 */
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <yyjson.h>

#include "port.h"

#define EXIT_REBOOT 10
#define LATEST_MOST 8192 /* bytes of the answer to GET /api/firmware/latest */
#define SELF_TESTS 3     /* times a new version may fail to reach the server before it is left */
#define SELF_TEST_S 10   /* between two of them */

struct device {
    struct flash flash;
    struct http http;
    struct trust trust;
    bool insecure; /* whatever the server offers is installed */
    EVP_MD_CTX *hash;
    unsigned tests; /* self-tests that failed since the start */
    bool reset;     /* the boot loader has the word */
};

/* --- hash: on a microcontroller that of its TLS library, or the hardware's -------------------------- */

static int hash_begin(void *ctx)
{
    return EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 ? PQOTA_OK : PQOTA_E_AGAIN;
}

static int hash_update(void *ctx, const void *data, size_t n)
{
    return EVP_DigestUpdate(ctx, data, n) == 1 ? PQOTA_OK : PQOTA_E_AGAIN;
}

static int hash_finish(void *ctx, unsigned char out[32])
{
    return EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? PQOTA_OK : PQOTA_E_AGAIN;
}

/* --- the founding call: what is the latest firmware for this device? -------------------------------- */

struct latest {
    char text[LATEST_MOST];
    size_t n;
};

static int collect(void *ctx, const void *data, size_t n)
{
    struct latest *l = ctx;
    if (n > sizeof l->text - l->n)
        return -1;
    memcpy(l->text + l->n, data, n);
    l->n += n;
    return 0;
}

/* The status, 0 when no answer came. */
static int get_latest(struct device *d, struct latest *l)
{
    const struct pqota_request request = {.method = "GET", .path = "/api/firmware/latest"};
    struct pqota_response response = {.content_length = PQOTA_LENGTH_UNKNOWN};
    l->n = 0;
    int rc = http_request(&d->http, &request, &response, collect, l);
    return rc == PQOTA_OK ? response.status : 0;
}

static int show_latest(struct device *d)
{
    struct latest l;
    int status = get_latest(d, &l);
    yyjson_doc *doc = status == 200 ? yyjson_read(l.text, l.n, 0) : NULL;
    yyjson_val *root = yyjson_doc_get_root(doc), *size = yyjson_obj_get(root, "size");
    const char *version = yyjson_get_str(yyjson_obj_get(root, "version"));
    const char *sha256 = yyjson_get_str(yyjson_obj_get(root, "sha256"));
    bool good = version != NULL && sha256 != NULL && yyjson_is_uint(size);
    if (good)
        printf("%s %" PRIu64 " %s\n", version, yyjson_get_uint(size), sha256);
    else
        fprintf(stderr, "no latest firmware: the server answered %d\n", status);
    yyjson_doc_free(doc);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- installer: two slots and a boot loader --------------------------------------------------------- */

static int running_version(void *ctx, char out[PQOTA_NAME_SIZE])
{
    const struct device *d = ctx;
    snprintf(out, PQOTA_NAME_SIZE, "%s", d->flash.record.version[d->flash.record.slot]);
    return PQOTA_OK;
}

/* The image is where it belongs already: the boot loader is asked to try it. */
static enum pqota_install install(void *ctx, const struct pqota_artifact *artifact, char why[PQOTA_TEXT_SIZE])
{
    struct device *d = ctx;
    struct boot_record *r = &d->flash.record, was = *r;
    snprintf(r->version[r->slot ^ 1], PQOTA_NAME_SIZE, "%s", artifact->version);
    r->trial = TRIAL_PENDING;
    if (flash_save_record(&d->flash) == 0)
        return PQOTA_INSTALL_REBOOT;
    *r = was;
    snprintf(why, PQOTA_TEXT_SIZE, "the boot record could not be written");
    return PQOTA_INSTALL_FAILED;
}

static int reboot_device(void *ctx, char why[PQOTA_TEXT_SIZE])
{
    struct device *d = ctx;
    (void)why;
    d->reset = true;
    return PQOTA_OK;
}

/* A version that cannot reach the server could never be replaced: that is what makes it good or bad here. */
static enum pqota_confirm confirm(void *ctx, const struct pqota_artifact *artifact, uint32_t *wait_s,
                                  char why[PQOTA_TEXT_SIZE])
{
    struct device *d = ctx;
    struct boot_record *r = &d->flash.record;
    struct latest l;
    if (strcmp(r->version[r->slot], artifact->version) != 0) {
        snprintf(why, PQOTA_TEXT_SIZE, "%s did not confirm itself and was left", artifact->version);
        return PQOTA_CONFIRM_RETURNED;
    }
    if (r->trial == TRIAL_NONE)
        return PQOTA_CONFIRM_GOOD;
    int status = get_latest(d, &l);
    if (status == 200 || status == 404) {
        r->trial = TRIAL_NONE;
        if (flash_save_record(&d->flash) == 0)
            return PQOTA_CONFIRM_GOOD;
        r->trial = TRIAL_RUNNING;
    }
    d->reset = ++d->tests >= SELF_TESTS;
    *wait_s = SELF_TEST_S;
    return PQOTA_CONFIRM_WAIT;
}

/* --- platform --------------------------------------------------------------------------------------- */

static uint32_t random_bits(void *ctx)
{
    uint32_t v = 0;
    (void)ctx;
    return getrandom(&v, sizeof v, 0) == (ssize_t)sizeof v ? v : 0;
}

static int boot_id(void *ctx, char out[PQOTA_BOOT_SIZE])
{
    const struct device *d = ctx;
    snprintf(out, PQOTA_BOOT_SIZE, "boot-%" PRIu32, d->flash.record.boots);
    return PQOTA_OK;
}

static void write_log(void *ctx, enum pqota_log level, const char *text)
{
    static const char *const words[] = {"debug", "info", "warn", "error"};
    (void)ctx;
    fprintf(stderr, "%s: %s\n", words[level], text);
}

/* --- the loop --------------------------------------------------------------------------------------- */

static int run(struct device *d, bool once, uint32_t wait_most)
{
    static _Alignas(16) unsigned char memory[PQOTA_MEMORY_MIN + 8192];
    const struct pqota_ops ops = {
        .transport = {&d->http, http_request},
        .storage = flash_storage(&d->flash),
        .sha256 = {d->hash, hash_begin, hash_update, hash_finish},
        .installer = {d, running_version, install, reboot_device, confirm},
        .trust = {&d->trust, d->insecure ? pqota_vouch_insecure : trust_vouch},
        .platform = {d, random_bits, boot_id, write_log},
    };
    const struct pqota_settings settings = {
        .segment_bytes = 64 * SECTOR, .checkpoint_bytes = 16 * SECTOR, .artifact_most = SLOT_MOST};
    pqota_client_t *client;
    if (pqota_client_init(memory, sizeof memory, &ops, &settings, &client) != PQOTA_OK)
        return EXIT_FAILURE;
    for (;;) {
        uint32_t wait_s;
        enum pqota_next next = pqota_client_step(client, &wait_s);
        if (d->reset)
            return EXIT_REBOOT;
        if (next == PQOTA_AGAIN)
            continue;
        http_close(&d->http); /* the server would not keep it open for that long */
        if (next == PQOTA_WAIT_POLL && once)
            return EXIT_SUCCESS;
        struct timespec wait = {.tv_sec = wait_s < wait_most ? wait_s : wait_most};
        nanosleep(&wait, NULL);
    }
}

struct options {
    const char *dir;
    bool once, latest;
    uint32_t wait_most; /* seconds */
};

static int start(struct device *d, const struct options *o)
{
    char ca[PATH_MAX], cert[PATH_MAX], key[PATH_MAX];
    snprintf(ca, sizeof ca, "%s/ca.pem", o->dir);
    snprintf(cert, sizeof cert, "%s/device.crt", o->dir);
    snprintf(key, sizeof key, "%s/device.key", o->dir);
    d->http.tls = pqc_tls_create_client_ctx(cert, key, ca, "x25519mlkem768", "mldsa65");
    d->hash = EVP_MD_CTX_new();
    d->trust.flash = &d->flash;
    d->trust.http = &d->http;
    int code = EXIT_FAILURE;
    if (d->http.tls == NULL)
        fprintf(stderr, "%s\n", pqc_tls_error());
    else if (d->hash == NULL || (!o->latest && flash_start(&d->flash, o->dir) != 0))
        fprintf(stderr, "the flash in %s cannot be used\n", o->dir);
    else
        code = o->latest ? show_latest(d) : run(d, o->once, o->wait_most);
    http_close(&d->http);
    pqc_tls_free_ctx(d->http.tls);
    EVP_MD_CTX_free(d->hash);
    return code;
}

/* 0, or -1 after it said what is wrong. */
static int take_options(int argc, char **argv, struct device *d, struct options *o)
{
    static const struct option words[] = {
        {"device", required_argument, NULL, 'd'},      {"model", required_argument, NULL, 'm'},
        {"vendor-key", required_argument, NULL, 'V'},  {"director-key", required_argument, NULL, 'D'},
        {"insecure-unsigned", no_argument, NULL, 'u'}, {0},
    };
    struct trust *t = &d->trust;
    int option, bad = 0;
    while ((option = getopt_long(argc, argv, "olw:", words, NULL)) != -1) {
        int rc = 0;
        switch (option) {
        case 'o':
            o->once = true;
            break;
        case 'l':
            o->latest = true;
            break;
        case 'w':
            o->wait_most = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'd':
            t->device = optarg;
            break;
        case 'm':
            t->model = optarg;
            break;
        case 'V':
            rc = trust_add_key(t->vendor, &t->vendors, optarg);
            break;
        case 'D':
            rc = trust_add_key(t->director, &t->directors, optarg);
            break;
        case 'u':
            d->insecure = true;
            break;
        default:
            bad = -1;
        }
        if (rc != 0) {
            fprintf(stderr, "%s: no ML-DSA-44 public key of %d bytes, or one too many\n", optarg,
                    PQOTA_MANIFEST_KEY);
            bad = -1;
        }
    }
    bool vouched = t->device != NULL && t->model != NULL && t->vendors > 0 && t->directors > 0;
    if (bad == 0 && argc - optind == 3 && o->wait_most > 0 && (o->latest || d->insecure || vouched))
        return 0;
    fprintf(stderr, "usage: pqota-device [-o] [-l] [-w SECONDS] --device ID --model NAME --vendor-key FILE "
                    "--director-key FILE DIR HOST PORT\n"
                    "--insecure-unsigned instead of those four installs whatever the server offers\n");
    return -1;
}

int main(int argc, char **argv)
{
    static struct device d; /* it has the manifest's buffers */
    struct options o = {.wait_most = UINT32_MAX};
    if (take_options(argc, argv, &d, &o) != 0)
        return 2;
    o.dir = argv[optind];
    d.http.host = argv[optind + 1];
    d.http.port = argv[optind + 2];
    return start(&d, &o);
}
