#include "config_fixture.h"

#include <stdlib.h>
#include <string.h>

int config_setup(void **state)
{
    struct config_fixture *fx = calloc(1, sizeof *fx);
    void *base = NULL;
    assert_non_null(fx);
    int rc = fx_setup(&base);
    fx->base = base;
    *state = fx;
    return rc;
}

int config_teardown(void **state)
{
    struct config_fixture *fx = *state;
    void *base = fx->base;
    free(fx);
    return fx_teardown(&base);
}

int config_read_text(struct config_fixture *fx, const char *text)
{
    fx_write(CONFIG_FILE, str_of(text));
    return config_read(CONFIG_FILE, &fx->base->arena, &fx->config, &fx->e);
}

void config_take(struct config_fixture *fx, const char *text)
{
    if (config_read_text(fx, text) != 0)
        fail_msg("%s", fx->e.text);
}

void config_says(struct config_fixture *fx, const char *const *parts)
{
    for (size_t i = 0; parts[i] != NULL; i++)
        if (strstr(fx->e.text, parts[i]) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", fx->e.text, parts[i]);
}
