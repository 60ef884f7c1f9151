#include "model/account.h"

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool account_is_name(struct str s)
{
    if (s.n == 0 || s.n > ACCOUNT_NAME_MAX || !is_alnum(s.p[0]))
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!is_alnum(s.p[i]) && (s.p[i] == '\0' || strchr("._@+-", s.p[i]) == NULL))
            return false;
    return true;
}
