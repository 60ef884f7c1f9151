/* Stands in for main.c in the tests: hears what would be said, and has a small table of verbs. */
#ifndef PQOTA_TESTS_CMD_FRAME_H
#define PQOTA_TESTS_CMD_FRAME_H

#include "cmd/cmd.h"

extern char frame_said[1024]; /* the last message */

#endif
