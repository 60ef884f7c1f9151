/* A settings file of a test's own, read in a folder of its own. */
#ifndef PQOTA_TEST_CONFIG_FIXTURE_H
#define PQOTA_TEST_CONFIG_FIXTURE_H

#include "../pki/fixture.h"
#include "server/config_table.h"

#define CONFIG_FILE "t.conf"

struct config_fixture {
    struct fixture *base;
    struct server_config config; /* of the last good read */
    struct err e;
};

int config_setup(void **state);
int config_teardown(void **state);
int config_read_text(struct config_fixture *fx, const char *text);
/* Reads it, and fails the test if it cannot be read. */
void config_take(struct config_fixture *fx, const char *text);
/* Fails the test unless the last error says all these parts; NULL-ended. */
void config_says(struct config_fixture *fx, const char *const *parts);

#endif
