/* pqcerts: certificates for many devices, of one key, by a server's own authority. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "pki/pki.h"
#include "pqcerts/options.h"
#include "shared/program.h"

#define NAME "pqcerts"
#define PATH_SIZE 4096
#define ARENA_MAX 65536 /* of one certificate */
#define DAYS 30

CLEANUP_DEFINE(pki_ca, struct pki_ca, pki_ca_free);
CLEANUP_DEFINE(key, EVP_PKEY, pki_key_free);

static int in_folder(const struct options *o, const char *name, const char *ending, char out[PATH_SIZE],
                     struct err *e)
{
    int n = snprintf(out, PATH_SIZE, "%s/%s.%s", o->folder, name, ending);
    return n > 0 && n < PATH_SIZE ? 0 : err_set(e, ERR_TOO_LARGE, "the folder's name is too long");
}

/* Not durable, as file_write_atomic is: nobody keeps these. */
static int write_file(const char *path, struct str text, struct err *e)
{
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd < 0 ? err_errno(e, errno, "%s cannot be made", path)
                  : file_write_all(fd, text.p, text.n, path, e);
}

static int issue(const struct options *o, struct pki_ca *ca, EVP_PKEY *key, const char *key_file,
                 uint64_t number, struct err *e)
{
    char id[65], path[PATH_SIZE];
    snprintf(id, sizeof id, "%s%07llu", o->id_prefix, (unsigned long long)number);
    if (!str_is_device_id(str_of(id)))
        return err_set(e, ERR_INVALID, "\"%s\" is no device's id", id);
    int64_t now = (int64_t)time(NULL);
    const struct pki_issue what = {.purpose = PKI_CLIENT,
                                   .common_name = id,
                                   .not_before = now - 3600,
                                   .not_after = now + (int64_t)DAYS * 86400};
    struct str pem;
    struct pki_cert cert;
    auto_arena struct arena arena;
    arena_init(&arena, ARENA_MAX);
    int rc = pki_issue_cert(ca, NULL, key, &what, &arena, &pem, &cert, e);
    if (rc == 0)
        rc = in_folder(o, id, "pem", path, e);
    if (rc == 0)
        rc = write_file(path, pem, e);
    if (rc == 0 && printf("%s %s %s\n", path, key_file, o->path != NULL ? o->path : "") < 0)
        rc = err_set(e, ERR_IO, "the lines could not be written");
    return rc;
}

static int issue_all(const struct options *o, struct err *e)
{
    char key_file[PATH_SIZE];
    CLEANUP(pki_ca_cleanup) struct pki_ca *ca = NULL;
    CLEANUP(key_cleanup) EVP_PKEY *key = NULL;
    int rc = pki_ca_load(o->ca, o->ca_key, &ca, e);
    if (rc == 0)
        rc = pki_key_generate("mldsa65", &key, e);
    if (rc == 0)
        rc = in_folder(o, "devices", "key", key_file, e);
    if (rc == 0)
        rc = pki_key_save(key, key_file, e);
    for (uint64_t i = 0; i < o->devices && rc == 0; i++)
        rc = issue(o, ca, key, key_file, o->first + i, e);
    if (rc == 0 && fflush(stdout) != 0)
        rc = err_set(e, ERR_IO, "the lines could not be written");
    return rc;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct options options;
    int code = program_begin(NAME, options_parse(argc, argv, &options, &e), &e);
    if (code >= 0)
        return code;
    return issue_all(&options, &e) == 0 ? PROGRAM_GOOD : program_fail(NAME, PROGRAM_ERRORS, &e);
}
