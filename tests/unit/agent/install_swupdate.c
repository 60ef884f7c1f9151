/* The swupdate installer, with the real program and a real .swu that writes a file. */
#include "bench.h"

#include <unistd.h>

static struct bench b;
static char why[PQOTA_TEXT_SIZE];

static size_t make_swu(char *out, size_t size, const char *revision)
{
    char path[BENCH_PATH];
    bench_sh(&b,
             "cd %s && printf 'real image' > image && cat > sw-description <<END\n"
             "software = { version = \"2.0\"; hardware-compatibility: [ \"%s\" ]; files: ( {\n"
             "filename = \"image\"; path = \"%s/installed\"; sha256 = \"$(sha256sum image | cut -c1-64)\"; } "
             "); }\n"
             "END\n"
             "printf 'sw-description\\nimage\\n' | cpio -o -H crc > x.swu 2>/dev/null",
             b.dir, revision, b.dir);
    FILE *f = fopen(bench_path(&b, "x.swu", path), "rb");
    assert_non_null(f);
    size_t n = fread(out, 1, size, f);
    fclose(f);
    assert_true(n > 0 && n < size);
    return n;
}

static void start(const char *revision)
{
    static char swu[65536];
    char path[BENCH_PATH];
    bench_init(&b);
    why[0] = '\0';
    bench_write(&b, "version", "1.0\n");
    bench_set(&b, "type", "swupdate");
    bench_set(&b, "version_file", "%s", bench_path(&b, "version", path));
    bench_set(&b, "timeout_seconds", "60");
    size_t n = make_swu(swu, sizeof swu, revision);
    bench_install(&b, swu, n);
}

/* Debian's swupdate insists on signed images; one that takes unsigned ones need not. */
static void key_and_signature(void)
{
    bench_sh(&b,
             "cd %s && openssl req -x509 -newkey rsa:3072 -nodes -keyout key.pem -out cert.pem -days 2 -subj "
             "/CN=t "
             "-addext keyUsage=digitalSignature -addext extendedKeyUsage=emailProtection 2>/dev/null && "
             "openssl cms -sign -in sw-description -out sw-description.sig -signer cert.pem -inkey key.pem "
             "-outform DER -nosmimecap -binary && "
             "printf 'sw-description\\nsw-description.sig\\nimage\\n' | cpio -o -H crc > x.swu 2>/dev/null",
             b.dir);
}

static void installs(void **s)
{
    static char swu[65536];
    char path[BENCH_PATH];
    (void)s;
    start("1.0");
    key_and_signature();
    FILE *f = fopen(bench_path(&b, "x.swu", path), "rb");
    assert_non_null(f);
    size_t n = fread(swu, 1, sizeof swu, f);
    fclose(f);
    bench_set(&b, "command", "/usr/bin/swupdate -H pqota-test:1.0 -k %s/cert.pem -i", b.dir);
    bench_install(&b, swu, n);
    if (b.in.kind->install(&b.in, &b.artifact, why) != PQOTA_INSTALL_REBOOT)
        fail_msg("%s", why);
    assert_string_equal(bench_read(&b, "installed"), "real image");
    bench_fini(&b);
}

static void refusal_is_told(void **s)
{
    (void)s;
    start("9.9");
    bench_set(&b, "command", "/usr/bin/swupdate -H pqota-test:1.0 -i");
    assert_int_equal(b.in.kind->install(&b.in, &b.artifact, why), PQOTA_INSTALL_FAILED);
    assert_memory_equal(why, "swupdate failed, exit code", 26);
    assert_string_equal(bench_read(&b, "installed"), "");
    bench_fini(&b);
}

int main(void)
{
    if (access("/usr/bin/swupdate", X_OK) != 0) {
        fprintf(stderr, "swupdate is not installed here\n");
        return 77; /* meson: skipped */
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(installs),
        cmocka_unit_test(refusal_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
