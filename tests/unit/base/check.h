/* What every test here begins with. */
#ifndef PQOTA_TEST_BASE_CHECK_H
#define PQOTA_TEST_BASE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

#endif
