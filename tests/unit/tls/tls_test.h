/* What every test program here begins and ends with. */
#ifndef PQOTA_TESTS_TLS_TEST_H
#define PQOTA_TESTS_TLS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tls_fixture.h"

#define assert_says(text_, part_)                                                                            \
    do {                                                                                                     \
        if (strstr((text_), (part_)) == NULL)                                                                \
            fail_msg("\"%s\" does not say \"%s\"", (text_), (part_));                                        \
    } while (0)

#define assert_shaken(p)                                                                                     \
    do {                                                                                                     \
        if ((p)->server_step != TLS_DONE)                                                                    \
            fail_msg("server: %s", (p)->server_err.text);                                                    \
        if ((p)->client_step != TLS_DONE)                                                                    \
            fail_msg("client: %s", (p)->client_err.text);                                                    \
    } while (0)

#endif
