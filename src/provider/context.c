#include "provider/context.h"

#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lattice/selftest.h"

const OSSL_ITEM *provider_reasons(void)
{
    static const OSSL_ITEM rows[] = {
        {REASON_MEMORY, "no memory"},
        {REASON_RANDOM, "no random bytes"},
        {REASON_SELF_TEST, "self-test failed"},
        {REASON_NO_KEY, "the key lacks this half"},
        {REASON_FIXED_KEY, "a key does not change"},
        {REASON_BAD_KEY, "not a key of this kind"},
        {REASON_LENGTH, "wrong length"},
        {REASON_BUFFER, "the buffer is too small"},
        {REASON_PARAMETER, "wrong parameter"},
        {REASON_CLASSIC, "the classical half failed"},
        {REASON_FAULT, "a calculation failed"},
        {0, NULL},
    };
    return rows;
}

bool provider_raise_at(const struct provider *p, const char *file, int line, const char *function,
                       enum provider_reason reason, const char *format, ...)
{
    if (p->new_error == NULL || p->set_error_debug == NULL || p->set_error == NULL)
        return false; /* a core that takes no errors */
    va_list args;
    va_start(args, format);
    p->new_error(p->core);
    p->set_error_debug(p->core, file, line, function);
    p->set_error(p->core, (uint32_t)reason, format, args);
    va_end(args);
    return false;
}

bool provider_random(const struct provider *p, uint8_t *out, size_t n, unsigned strength)
{
    if (RAND_priv_bytes_ex(p->libctx, out, n, strength) == 1)
        return true;
    lattice_wipe(out, n);
    return provider_raise(p, REASON_RANDOM, "%zu bytes of %u bits' strength", n, strength);
}

bool provider_choose(struct provider *p, provider_code_fn *code)
{
    const struct lattice_code *row;
    char passed_over[BUILDINFO_MAX / 2] = "";
    for (size_t i = 0; (row = code(i)) != NULL; i++) {
        if (lattice_selftest(row)) {
            p->code = row;
            snprintf(p->buildinfo, sizeof p->buildinfo, "%s %s%s%s", PQOTA_VERSION, row->name, passed_over,
                     passed_over[0] != '\0' ? ": wrong answers" : "");
            return true;
        }
        size_t n = strlen(passed_over);
        snprintf(passed_over + n, sizeof passed_over - n, "%s %s", n == 0 ? ", not" : ",", row->name);
        provider_raise(p, REASON_SELF_TEST, "the code path %s gives wrong answers and is not used",
                       row->name);
    }
    return provider_raise(p, REASON_SELF_TEST, "no code path gives right answers");
}
