#include "identity_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int run_number(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    return ota_crl_number(db, arg, e);
}

static void make(struct fixture *f)
{
    struct crl_work w;
    crl_begin(f->ota.crl, &w, f->now_ms);
    assert_false(crl_due(f->ota.crl, f->now_ms + DAY_MS, 24)); /* one at a time */
    assert_ok(fixture_write(f, run_number, &w), f->e);
    assert_ok(ota_crl_collect(&f->ota, f->reader, &w, &f->e), f->e);
    assert_ok(ota_crl_build(&f->ota, &w, &f->e), f->e);
    crl_end(f->ota.crl, &w, 0);
}

/* What a foreign program reads in it. */
static void show(struct fixture *f, char *out, size_t size)
{
    char file[128];
    int fds[2], status = -1;
    snprintf(file, sizeof file, "%s/data/%s", f->dir, CRL_FILE);
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        execlp("openssl", "openssl", "crl", "-in", file, "-CAfile", f->device_roots, "-noout", "-text",
               (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    size_t n = 0;
    for (ssize_t got; n < size - 1 && (got = read(fds[0], out + n, size - 1 - n)) > 0;)
        n += (size_t)got;
    out[n] = '\0';
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void upper(char *s)
{
    for (; *s != '\0'; s++)
        if (*s >= 'a' && *s <= 'f')
            *s = (char)(*s - 'a' + 'A');
}

static void lists_the_revoked(void **state)
{
    struct fixture *f = *state;
    struct enrolment a, b;
    struct crl_file file;
    char text[16384], serial[66];
    EVP_PKEY *other = fixture_key(f);
    assert_int_equal(ota_crl_open(&f->ota, &file, &f->e), ERR_BUSY);
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), f->key, "gw-1", &a), f->e);
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), other, "gw-2", &b), f->e);
    make(f);
    show(f, text, sizeof text);
    assert_non_null(strstr(text, "verify OK"));
    assert_non_null(strstr(text, "No Revoked Certificates"));
    assert_ok(fixture_revoke(f, "gw-2"), f->e);
    make(f);
    show(f, text, sizeof text);
    assert_non_null(strstr(text, "verify OK"));
    snprintf(serial, sizeof serial, "%s%s", strlen(b.cert.serial) % 2 != 0 ? "0" : "", b.cert.serial);
    upper(serial);
    assert_non_null(strstr(text, serial));
    snprintf(serial, sizeof serial, "%s", a.cert.serial);
    upper(serial);
    assert_null(strstr(text, serial));
    assert_int_equal(fixture_ask(f, "SELECT value FROM meta WHERE key = 'crl_number'"), 2);
    assert_ok(ota_crl_open(&f->ota, &file, &f->e), f->e);
    assert_true(file.size > 100);
    assert_int_equal(file.etag[0], '"');
    close(file.fd);
    /* Those whose certificates would be refused as expired anyway are left out. */
    f->now_ms += (DAYS + GRACE + 1) * DAY_MS;
    make(f);
    show(f, text, sizeof text);
    assert_non_null(strstr(text, "No Revoked Certificates"));
    pki_key_free(other);
}

static void is_due_when_it_should(void **state)
{
    struct fixture *f = *state;
    struct crl *c = f->ota.crl;
    struct crl_work w;
    int64_t now = f->now_ms;
    assert_true(crl_due(c, now, 24)); /* none yet */
    crl_begin(c, &w, now);
    crl_end(c, &w, ERR_IO);
    assert_false(crl_due(c, now + 1000, 24)); /* a failure is not tried at once */
    assert_true(crl_due(c, now + CRL_GAP_MS, 24));
    crl_begin(c, &w, now + CRL_GAP_MS);
    crl_end(c, &w, 0);
    now += 2 * CRL_GAP_MS;
    assert_false(crl_due(c, now, 24));
    assert_true(crl_due(c, now + 12 * 3600000 + 1, 24)); /* half of its life */
    crl_touch(c);
    assert_true(crl_due(c, now, 24));
    crl_begin(c, &w, now);
    crl_touch(c); /* meanwhile */
    crl_end(c, &w, 0);
    assert_true(crl_due(c, now + CRL_GAP_MS, 24));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_the_revoked),
        TEST(is_due_when_it_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
