#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARENA_MAX (64u << 20)

int fx_setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);
    assert_non_null(fx);
    snprintf(fx->dir, sizeof fx->dir, "/tmp/pqota-test-XXXXXX");
    assert_non_null(mkdtemp(fx->dir));
    assert_int_equal(chdir(fx->dir), 0);
    arena_init(&fx->arena, ARENA_MAX);
    *state = fx;
    return 0;
}

int fx_teardown(void **state)
{
    struct fixture *fx = *state;
    int rc = chdir("/");
    rc |= fx_run(fx, "rm -rf '%s'", fx->dir);
    arena_fini(&fx->arena);
    free(fx);
    return rc;
}

/* The shell is for the pipes between openssl and its like; its text is the test's own. */
static pid_t start_shell(const char *command, int *out)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)(uintptr_t)command, NULL};
        if (null >= 0 && dup2(null, 0) == 0 && dup2(ends[1], 1) == 1 && dup2(ends[1], 2) == 2)
            execve("/bin/sh", argv, environ);
        _exit(126);
    }
    close(ends[1]);
    *out = ends[0];
    return pid;
}

int fx_run(struct fixture *fx, const char *fmt, ...)
{
    char command[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    assert_in_range(n, 1, sizeof command - 1);
    int out = -1, status = 0;
    pid_t pid = start_shell(command, &out);
    size_t got = 0;
    ssize_t r;
    while ((r = read(out, fx->out + got, sizeof fx->out - 1 - got)) > 0)
        got += (size_t)r;
    fx->out[got] = '\0';
    close(out);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

void fx_expect(struct fixture *fx, const char *part)
{
    if (strstr(fx->out, part) == NULL)
        fail_msg("\"%s\" is not in:\n%s", part, fx->out);
}

void fx_write(const char *path, struct str text)
{
    struct err e = {0};
    if (file_write_atomic(path, text.p, text.n, 0644, &e) != 0)
        fail_msg("%s", e.text);
}

EVP_PKEY *fx_key(const char *algorithm)
{
    struct err e = {0};
    EVP_PKEY *key = NULL;
    if (pki_key_generate(algorithm, &key, &e) != 0)
        fail_msg("%s", e.text);
    return key;
}

struct pki_ca *fx_root(struct fixture *fx, const char *name, const char *algorithm, int days)
{
    char cert_file[64], key_file[64];
    struct err e = {0};
    struct str pem;
    struct pki_ca *ca = NULL;
    auto_key EVP_PKEY *key = fx_key(algorithm);
    snprintf(cert_file, sizeof cert_file, "%s.pem", name);
    snprintf(key_file, sizeof key_file, "%s.key", name);
    if (pki_root_make(key, name, days, NOW - DAY, &fx->arena, &pem, &e) != 0 ||
        pki_key_save(key, key_file, &e) != 0)
        fail_msg("%s", e.text);
    fx_write(cert_file, pem);
    if (pki_ca_load(cert_file, key_file, &ca, &e) != 0)
        fail_msg("%s", e.text);
    return ca;
}

struct pki_cert fx_leaf(struct fixture *fx, struct pki_ca *ca, const char *name, const char *algorithm,
                        enum pki_purpose purpose)
{
    char cert_file[64], key_file[64];
    struct err e = {0};
    struct str pem;
    struct pki_cert cert;
    struct pki_issue what = {
        .purpose = purpose, .common_name = name, .not_before = NOW, .not_after = NOW + 30 * DAY};
    auto_key EVP_PKEY *key = fx_key(algorithm);
    snprintf(cert_file, sizeof cert_file, "%s.pem", name);
    snprintf(key_file, sizeof key_file, "%s.key", name);
    if (pki_issue_cert(ca, NULL, key, &what, &fx->arena, &pem, &cert, &e) != 0 ||
        pki_key_save(key, key_file, &e) != 0)
        fail_msg("%s", e.text);
    fx_write(cert_file, pem);
    return cert;
}

struct str fx_read(struct fixture *fx, const char *path)
{
    struct err e = {0};
    auto_buf struct buf b;
    buf_init(&b, 1u << 20);
    if (file_read(path, 1u << 20, &b, &e) != 0)
        fail_msg("%s", e.text);
    return (struct str){.p = arena_dup_str(&fx->arena, buf_str(&b)), .n = b.n};
}
