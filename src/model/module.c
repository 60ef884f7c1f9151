#include "model/module.h"

#include <limits.h>

const struct module_type module_types[] = {
    {1, "os", "OS", "Core firmware or operating system", 1},
    {2, "application", "Application", "Application add-ons", INT_MAX},
};
const size_t module_type_count = sizeof module_types / sizeof module_types[0];

const struct set_type set_types[] = {
    {1, "os", "OS only", "Default type with firmware/OS only.", "os", NULL},
    {2, "app", "App(s) only", "Default type with app(s) only.", "application", NULL},
    {3, "os_app", "OS with app(s)", "Default type with firmware/OS and optional app(s).", "os",
     "application"},
};
const size_t set_type_count = sizeof set_types / sizeof set_types[0];

bool module_is_name(struct str s)
{
    return s.n > 0 && s.n <= MODULE_TEXT_MAX && str_is_text(s) && memchr(s.p, '\n', s.n) == NULL &&
           memchr(s.p, '\t', s.n) == NULL && str_trim(s).n == s.n;
}

const struct module_type *module_type_find(struct str key)
{
    for (size_t i = 0; i < module_type_count; i++)
        if (str_is(key, module_types[i].key))
            return &module_types[i];
    return NULL;
}

const struct set_type *set_type_find(struct str key)
{
    for (size_t i = 0; i < set_type_count; i++)
        if (str_is(key, set_types[i].key))
            return &set_types[i];
    return NULL;
}
