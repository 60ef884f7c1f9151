/* What the tests of src/cmd share: cmocka, and capturing what a function prints. */
#ifndef PQOTA_TESTS_CMD_CHECK_H
#define PQOTA_TESTS_CMD_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A stream whose text is in *text (free it) after fclose. */
static inline FILE *memory_stream(char **text, size_t *n)
{
    FILE *f = open_memstream(text, n);
    assert_non_null(f);
    return f;
}

#define RUN(tests) cmocka_run_group_tests(tests, NULL, NULL)

#endif
