/* The tables of the verbs that have them, for help, completion and tests. */
#ifndef PQOTA_CMD_VERBS_H
#define PQOTA_CMD_VERBS_H

#include "cmd/line.h"

extern const struct line_verb line_firmware, line_deploy, line_deployment, line_device, line_token,
    line_operator, line_account, line_console, line_setting, line_trust, line_status, line_why, line_events,
    line_completion;

#endif
