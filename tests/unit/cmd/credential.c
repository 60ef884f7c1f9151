#include "cmd/credential.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "check.h"
#include "pki/pki.h"

#define NOW 1795354009

struct fixture {
    char dir[64];
    struct arena arena;
    struct err err;
    struct profile profile;
};

static const char *in(struct fixture *f, const char *name)
{
    const char *path = arena_printf(&f->arena, "%s/%s", f->dir, name);
    assert_non_null(path);
    return path;
}

static void make_root(struct fixture *f, const char *name)
{
    EVP_PKEY *key = NULL;
    struct str pem;
    assert_int_equal(pki_key_generate("mldsa44", &key, &f->err), 0);
    assert_int_equal(pki_key_save(key, in(f, arena_printf(&f->arena, "%s.key", name)), &f->err), 0);
    assert_int_equal(pki_root_make(key, name, 30, NOW - 86400, &f->arena, &pem, &f->err), 0);
    assert_int_equal(
        file_write_atomic(in(f, arena_printf(&f->arena, "%s.pem", name)), pem.p, pem.n, 0644, &f->err), 0);
    pki_key_free(key);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/pqota-credential-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    arena_init(&f->arena, 1 << 20);
    make_root(f, "operator-ca");
    f->profile = (struct profile){.dir = f->dir, .server = "https://x", .ca = in(f, "operator-ca.pem")};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    (void)unlink(in(f, "operator-ca.key"));
    (void)unlink(in(f, "operator-ca.pem"));
    assert_int_equal(rmdir(f->dir), 0); /* so nothing else is left */
    arena_fini(&f->arena);
    free(f);
    return 0;
}

static void made_and_removed(void **state)
{
    struct fixture *f = *state;
    f->profile.policy = "cnsa2";
    struct credential_request r = {
        .name = "eve", .days = 3, .profile = &f->profile, .ca_dir = f->dir, .out_dir = in(f, "eve")};
    struct credential c;
    assert_int_equal(credential_make(&r, &f->arena, NOW, &c, &f->err), 0);

    struct stat st;
    assert_int_equal(stat(c.key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(c.dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    struct pki_cert cert;
    assert_int_equal(pki_cert_read(c.certificate, &cert, &f->err), 0);
    assert_string_equal(cert.common_name, "eve");
    assert_int_equal(cert.not_after, NOW + 3 * 86400);
    assert_int_equal(pki_issued_by(c.certificate_file, in(f, "operator-ca.pem"), PKI_CLIENT, NOW, &f->err),
                     0);

    /* The profile beside it is complete, and works from wherever the folder is. */
    struct profile p;
    assert_int_equal(profile_read(c.profile, &f->arena, &p, &f->err), 0);
    assert_string_equal(p.key, c.key);
    assert_string_equal(p.certificate, c.certificate_file);
    assert_string_equal(p.ca, c.roots);
    assert_string_equal(p.policy, "cnsa2");

    /* Again: nothing of the first is touched. */
    struct credential again;
    assert_int_not_equal(credential_make(&r, &f->arena, NOW, &again, &f->err), 0);
    assert_non_null(strstr(f->err.text, "--out names another"));
    assert_true(file_exists(c.key));
    credential_remove(&c);
    assert_false(file_exists(c.dir));
}

static void nothing_is_left_behind(void **state)
{
    struct fixture *f = *state;
    f->profile.ca = "/nonexistent/roots.pem"; /* found out after the folder was made */
    struct credential_request r = {
        .name = "eve", .days = 3, .profile = &f->profile, .ca_dir = f->dir, .out_dir = in(f, "eve")};
    struct credential c;
    assert_int_not_equal(credential_make(&r, &f->arena, NOW, &c, &f->err), 0);
    assert_false(file_exists(r.out_dir));
}

static void without_the_authority(void **state)
{
    struct fixture *f = *state;
    struct credential_request r = {
        .name = "eve", .days = 3, .profile = &f->profile, .ca_dir = "/nonexistent", .out_dir = in(f, "eve")};
    struct credential c;
    assert_int_equal(credential_make(&r, &f->arena, NOW, &c, &f->err), ERR_INVALID);
    assert_non_null(strstr(f->err.text, "--ca-dir"));
    assert_false(file_exists(r.out_dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(made_and_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_left_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(without_the_authority, setup, teardown),
    };
    return RUN(tests);
}
