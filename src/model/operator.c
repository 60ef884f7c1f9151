#include "model/operator.h"

static const struct {
    const char *name;
    enum who who;
} roles[] = {
    {"viewer", WHO_VIEWER},
    {"approver", WHO_APPROVER},
    {"operator", WHO_OPERATOR},
    {"admin", WHO_ADMIN},
};

int role_parse(struct str name, enum who *out, struct err *e)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (str_is(name, roles[i].name)) {
            *out = roles[i].who;
            return 0;
        }
    return err_set(e, ERR_INVALID, "an operator's role is viewer, approver, operator or admin, not \"%.*s\"",
                   (int)(name.n < 32 ? name.n : 32), name.p != NULL ? name.p : "");
}

const char *role_name(enum who role)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (roles[i].who == role)
            return roles[i].name;
    return "";
}
