#include "cmd/verbs.h"

const struct line_verb *const line_verbs[] = {
    &line_firmware, &line_deploy,  &line_deployment, &line_device,     &line_token,
    &line_operator, &line_account, &line_console,    &line_setting,    &line_trust,
    &line_status,   &line_why,     &line_events,     &line_completion, NULL,
};
