#include "model/deployment.h"

static const char *const kinds[] = {
    [TARGET_DEVICE] = "device",
    [TARGET_TAG] = "tag",
    [TARGET_MODEL] = "model",
    [TARGET_ALL] = "all",
};
static const char *const states[] = {
    [DEPLOYMENT_RUNNING] = "running",
    [DEPLOYMENT_CANCELLED] = "cancelled",
};

static int find(const char *const *words, size_t n, struct str word)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(word, words[i]))
            return (int)i;
    return ERR_INVALID;
}

const char *target_kind_word(enum target_kind k)
{
    return kinds[k];
}

int target_kind_parse(struct str word, enum target_kind *out)
{
    int i = find(kinds, sizeof kinds / sizeof kinds[0], word);
    if (i < 0)
        return i;
    *out = (enum target_kind)i;
    return 0;
}

const char *deployment_state_word(enum deployment_state s)
{
    return states[s];
}

int deployment_state_parse(struct str word, enum deployment_state *out)
{
    int i = find(states, sizeof states / sizeof states[0], word);
    if (i < 0)
        return i;
    *out = (enum deployment_state)i;
    return 0;
}

int deployment_check_target(enum target_kind kind, struct str target, struct err *e)
{
    switch (kind) {
    case TARGET_DEVICE:
        if (!str_is_device_id(target))
            return err_set(e, ERR_INVALID, "target: value must be a device's id");
        return 0;
    case TARGET_TAG:
    case TARGET_MODEL:
        if (!str_is_name(target))
            return err_set(e, ERR_INVALID, "target: value must be a %s's name", kinds[kind]);
        return 0;
    case TARGET_ALL:
        if (target.n != 0)
            return err_set(e, ERR_INVALID, "target: leave value out for all devices");
        return 0;
    }
    return err_set(e, ERR_INVALID, "target: kind is device, tag, model or all");
}
