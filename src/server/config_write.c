/* The table as a file for people to edit, and as a manual page. */
#include <string.h>

#include "server/config_table.h"

#define WIDTH 90

static int wrapped(struct buf *out, const char *text)
{
    struct str rest = str_of(text), word;
    size_t column = 0;
    int rc = 0;
    while (rc == 0 && str_split(&rest, ' ', &word)) {
        bool begins = column == 0 || column + 1 + word.n > WIDTH;
        rc = buf_printf(out, "%s" STR_FMT, !begins ? " " : column == 0 ? "# " : "\n# ", STR_ARG(word));
        column = begins ? 2 + word.n : column + 1 + word.n;
    }
    return rc == 0 ? buf_printf(out, "\n") : rc;
}

static const char *override_of(const char *const *values, const struct config_row *row)
{
    size_t n = strlen(row->section);
    for (size_t i = 0; values != NULL && values[i] != NULL; i += 2)
        if (strncmp(values[i], row->section, n) == 0 && values[i][n] == '.' &&
            strcmp(values[i] + n + 1, row->key) == 0)
            return values[i + 1];
    return NULL;
}

static int check_values(const char *const *values, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, CONFIG_FILE_MAX);
    for (size_t i = 0; values != NULL && values[i] != NULL; i += 2) {
        const struct config_row *row = NULL;
        for (size_t j = 0; j < config_row_count && row == NULL; j++) {
            const char *const one[] = {values[i], values[i + 1], NULL};
            if (override_of(one, &config_rows[j]) != NULL)
                row = &config_rows[j];
        }
        if (row == NULL)
            return err_set(e, ERR_INVALID, "there is no setting \"%s\"", values[i]);
        /* What inih would take for a comment cannot be written. */
        if (values[i + 1][0] == ';' || strstr(values[i + 1], " ;") != NULL ||
            strstr(values[i + 1], "\t;") != NULL)
            return err_set(e, ERR_INVALID, "the value of %s cannot hold a semicolon after a space",
                           values[i]);
        struct server_config config;
        int rc = config_value_set(row, str_of(values[i + 1]), ".", &a, &config, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int write_row(const struct config_row *row, const char *value, struct buf *out)
{
    const char *text = value != NULL ? value : row->initial;
    int rc = buf_printf(out, "\n");
    if (rc == 0)
        rc = wrapped(out, row->help);
    auto_buf struct buf rule;
    buf_init(&rule, ERR_TEXT_MAX);
    if (rc == 0)
        rc = config_value_rule(row, &rule);
    if (rc == 0)
        rc = buf_printf(out, "# May be: %s.", rule.p);
    if (rc == 0 && value != NULL && strcmp(value, row->initial) != 0)
        rc = buf_printf(out, " Default: %s", row->initial[0] != '\0' ? row->initial : "empty");
    if (rc == 0)
        rc = buf_printf(out, "\n%s =%s%s\n", row->key, text[0] != '\0' ? " " : "", text);
    return rc;
}

static int write_all(const char *const *values, struct buf *out)
{
    int rc = buf_printf(
        out, "# Settings of pqota serve; every one is here with its default. See pqota.conf(5).\n"
             "# Paths are relative to this file's folder. After a change: pqota check-config -c FILE,\n"
             "# then send the server SIGHUP. Certificates, keys, roots, limits and the log change then;\n"
             "# for the rest the server says that it needs a restart.\n");
    for (size_t s = 0; rc == 0 && s < config_section_count; s++) {
        rc = buf_printf(out, "\n");
        if (rc == 0)
            rc = wrapped(out, config_sections[s].help);
        if (rc == 0)
            rc = buf_printf(out, "[%s]\n", config_sections[s].name);
        for (size_t i = 0; rc == 0 && i < config_row_count; i++)
            if (strcmp(config_rows[i].section, config_sections[s].name) == 0)
                rc = write_row(&config_rows[i], override_of(values, &config_rows[i]), out);
    }
    return rc;
}

int config_write(const char *const *values, struct buf *out, struct err *e)
{
    int rc = check_values(values, e);
    if (rc != 0)
        return rc;
    size_t before = out->n;
    rc = write_all(values, out);
    if (rc != 0) {
        out->n = before;
        return err_set(e, rc, "the settings do not fit in %zu bytes", out->max);
    }
    return 0;
}

/* mdoc: a backslash begins an escape, a dot or quote at a line's beginning a request; each sentence has a
 * line. */
static int man_char(struct buf *out, const char *p)
{
    switch (*p) {
    case '\\':
        return buf_printf(out, "\\e");
    case '-':
        return buf_printf(out, "\\-");
    case ' ':
        return buf_printf(out, p[-1] == '.' ? "\n" : " ");
    default:
        return buf_add(out, p, 1);
    }
}

static int man_text(struct buf *out, const char *text)
{
    int rc = text[0] == '.' || text[0] == '\'' ? buf_printf(out, "\\&") : 0;
    for (const char *p = text; rc == 0 && *p != '\0'; p++)
        rc = man_char(out, p);
    return rc == 0 ? buf_printf(out, "\n") : rc;
}

static int man_row(struct buf *out, const struct config_row *row)
{
    auto_buf struct buf rule;
    buf_init(&rule, ERR_TEXT_MAX);
    int rc = config_value_rule(row, &rule);
    if (rc == 0)
        rc = buf_printf(out, ".It Ic %s\n", row->key);
    if (rc == 0)
        rc = man_text(out, row->help);
    if (rc == 0)
        rc = buf_printf(out, ".br\nMay be ");
    if (rc == 0)
        rc = buf_printf(out, "%s.\n.br\nDefault: ", rule.p);
    return rc == 0 ? man_text(out, row->initial[0] != '\0' ? row->initial : "empty") : rc;
}

static int man_all(struct buf *out)
{
    int rc = buf_printf(
        out,
        ".\\\" Made from the table in src/server/config_table.c; do not edit.\n"
        ".Dd November 22, 2026\n.Dt PQOTA.CONF 5\n.Os\n.Sh NAME\n.Nm pqota.conf\n"
        ".Nd settings of the update server\n.Sh DESCRIPTION\n"
        "The file that\n.Ql pqota serve -c\nreads, made by\n.Ql pqota init\n"
        "with every default written out.\n"
        "It holds sections in brackets and lines\n.Ql key = value .\n"
        "A line that begins with # or ; is a comment; in a value, a semicolon after a space "
        "begins one.\nA line has at most 198 bytes.\n"
        "Paths are relative to the file's folder.\n"
        "An unknown section or key, or a key set twice, is an error.\n.Pp\n"
        "On\n.Dv SIGHUP\nthe server reads the file again: certificates, keys, roots, limits and the log\n"
        "change without dropping a connection; for what else has changed it says that a restart is\n"
        "needed.\nIt keeps the old settings when the new\n"
        "ones are wrong.\n");
    for (size_t s = 0; rc == 0 && s < config_section_count; s++) {
        rc = buf_printf(out, ".Ss [%s]\n", config_sections[s].name);
        if (rc == 0)
            rc = man_text(out, config_sections[s].help);
        if (rc == 0)
            rc = buf_printf(out, ".Bl -tag -width Ds\n");
        for (size_t i = 0; rc == 0 && i < config_row_count; i++)
            if (strcmp(config_rows[i].section, config_sections[s].name) == 0)
                rc = man_row(out, &config_rows[i]);
        if (rc == 0)
            rc = buf_printf(out, ".El\n");
    }
    return rc == 0 ? buf_printf(out, ".Sh SEE ALSO\n.Xr pqota 1\n") : rc;
}

int config_man(struct buf *out, struct err *e)
{
    size_t before = out->n;
    int rc = man_all(out);
    if (rc != 0) {
        out->n = before;
        return err_set(e, rc, "the manual page does not fit in %zu bytes", out->max);
    }
    return 0;
}
