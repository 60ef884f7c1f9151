#include "cmd/shells.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

/* A word that the person may be in the middle of: after which words, and what can follow. Every script is
   written from these: the verbs, then each verb's sub-verbs or options, then each sub-verb's options. */

static const struct line_verb *line_of(const struct line_verb *const *lines, const char *verb)
{
    for (; *lines != NULL; lines++)
        if (strcmp((*lines)->name, verb) == 0)
            return *lines;
    return NULL;
}

static bool has_subs(const struct line_verb *line)
{
    return line != NULL && *line->subs->name != '\0';
}

/* Single quotes in help texts would end the shell's quoting. */
static void put_quoted(const char *text, const char *instead, FILE *to)
{
    for (; *text != '\0'; text++)
        if (*text == '\'')
            fputs(instead, to);
        else
            fputc(*text, to);
}

/* "--xxx" words of a usage text, for verbs without a table; each once. */
static bool next_option(const char **text, const char *start, struct str *out)
{
    const char *p = *text;
    while ((p = strstr(p, "--")) != NULL) {
        size_t n = 2;
        while (isalnum((unsigned char)p[n]) || p[n] == '-')
            n++;
        struct str word = {.p = p, .n = n};
        bool whole = n > 3 && (p == start || !isalnum((unsigned char)p[-1]));
        bool again = false;
        for (const char *q = start; !again && (q = strstr(q, "--")) != NULL && q < p; q++)
            again = strncmp(q, p, n) == 0 && !isalnum((unsigned char)q[n]) && q[n] != '-';
        p += n;
        if (whole && !again) {
            *text = p;
            *out = word;
            return true;
        }
    }
    return false;
}

static bool takes_file(const struct line_option *o)
{
    return o->value != NULL && (strcmp(o->value, "FILE") == 0 || strcmp(o->value, "FOLDER") == 0);
}

/* --- bash ----------------------------------------------------------------------------------------------- */

static void bash_options(const struct line_sub *sub, FILE *to)
{
    const struct line_option *rows[LINE_OPTIONS_MAX];
    size_t n = line_options(sub, rows);
    for (size_t i = 0; i < n; i++)
        fprintf(to, "%s--%s", i > 0 ? " " : "", rows[i]->name);
}

static void bash_values(const struct line_verb *line, const struct line_sub *sub, FILE *to)
{
    const struct line_option *rows[LINE_OPTIONS_MAX];
    size_t n = line_options(sub, rows);
    for (size_t i = 0; i < n; i++) {
        if (rows[i]->value == NULL)
            continue;
        fprintf(to, "        '%s %s --%s'", line->name, sub->name, rows[i]->name);
        if (rows[i]->letter != '\0')
            fprintf(to, "|'%s %s -%c'", line->name, sub->name, rows[i]->letter);
        if (rows[i]->choices != NULL)
            fprintf(to, ") words='%s' ;;\n", rows[i]->choices);
        else
            fprintf(to, takes_file(rows[i]) ? ") files=yes ;;\n" : ") return ;;\n");
    }
}

static void bash_words(const struct line_verb *line, FILE *to)
{
    if (has_subs(line)) {
        fprintf(to, "        '%s ') words='", line->name);
        for (const struct line_sub *s = line->subs; s->name != NULL; s++)
            fprintf(to, "%s ", s->name);
        fputs("--help' ;;\n", to);
    }
    for (const struct line_sub *s = line->subs; s->name != NULL; s++) {
        fprintf(to, "        '%s %s') words='", line->name, s->name);
        bash_options(s, to);
        fprintf(to, "'%s ;;\n", strstr(s->operands, "FILE") != NULL ? " files=yes" : "");
    }
}

static void bash_usage_words(const struct cmd_verb *v, FILE *to)
{
    const char *text = v->usage;
    struct str word;
    fprintf(to, "        '%s ') files=yes words='--help", v->name);
    while (next_option(&text, v->usage, &word))
        if (!str_is(word, "--help"))
            fprintf(to, " " STR_FMT, STR_ARG(word));
    fputs("' ;;\n", to);
}

static void write_bash(const struct cmd_verb *verbs, const struct line_verb *const *lines, FILE *to)
{
    fputs("# Completion of pqota for bash; made by `pqota completion bash`.\n_pqota()\n{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} "
          "sub= words= files=\n"
          "    COMPREPLY=()\n    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W '",
          to);
    for (const struct cmd_verb *v = verbs; v->name != NULL; v++)
        fprintf(to, "%s ", v->name);
    fputs("--help --version' -- \"$cur\"))\n        return\n    fi\n    case $verb in\n        ", to);
    bool any = false;
    for (const struct line_verb *const *l = lines; *l != NULL; l++)
        if (has_subs(*l)) {
            fprintf(to, "%s%s", any ? "|" : "", (*l)->name);
            any = true;
        }
    fputs(") ((COMP_CWORD > 2)) && sub=${COMP_WORDS[2]} ;;\n    esac\n    case \"$verb $sub $prev\" in\n",
          to);
    for (const struct line_verb *const *l = lines; *l != NULL; l++)
        for (const struct line_sub *s = (*l)->subs; s->name != NULL; s++)
            bash_values(*l, s, to);
    fputs("        *)\n    case \"$verb $sub\" in\n", to);
    for (const struct cmd_verb *v = verbs; v->name != NULL; v++) {
        const struct line_verb *line = line_of(lines, v->name);
        if (line != NULL)
            bash_words(line, to);
        else if (v->usage != NULL)
            bash_usage_words(v, to);
    }
    fputs("    esac ;;\n    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "    if [[ $files && $cur != -* ]]; then\n        compopt -o filenames\n"
          "        COMPREPLY+=($(compgen -f -- \"$cur\"))\n    fi\n}\ncomplete -F _pqota pqota\n",
          to);
}

/* --- zsh ------------------------------------------------------------------------------------------------ */

/* In _arguments brackets and colons have a meaning. */
static void zsh_text(const char *text, FILE *to)
{
    for (; *text != '\0'; text++) {
        if (strchr("[]:\\", *text) != NULL)
            fputc('\\', to);
        if (*text == '\'')
            fputs("'\\''", to);
        else
            fputc(*text, to);
    }
}

static void zsh_option(const struct line_option *o, FILE *to)
{
    fprintf(to, " \\\n                '%s--%s%s[", o->repeats ? "*" : "", o->name,
            o->value != NULL ? "=" : "");
    zsh_text(o->help, to);
    fputc(']', to);
    if (o->value != NULL) {
        fputc(':', to);
        zsh_text(o->value, to);
        if (o->choices != NULL)
            fprintf(to, ":(%s)", o->choices);
        else
            fputs(takes_file(o) ? ":_files" : ": ", to);
    }
    fputc('\'', to);
}

static void zsh_sub(const struct line_sub *s, FILE *to)
{
    const struct line_option *rows[LINE_OPTIONS_MAX];
    size_t n = line_options(s, rows);
    fputs("_arguments", to);
    for (size_t i = 0; i < n; i++)
        zsh_option(rows[i], to);
    /* Without a rule for operands zsh completes nothing behind one. */
    if (*s->operands != '\0')
        fprintf(to, " \\\n                '*:%s:%s'", s->operands,
                strstr(s->operands, "FILE") != NULL ? "_files" : " ");
    fputs(" ;;\n", to);
}

static void zsh_verb(const struct line_verb *line, FILE *to)
{
    fprintf(to, "    %s)\n", line->name);
    if (!has_subs(line)) {
        fputs("        ", to);
        zsh_sub(line->subs, to);
        return;
    }
    fputs("        if ((CURRENT == 2)); then\n            local -a subs=(", to);
    for (const struct line_sub *s = line->subs; s->name != NULL; s++) {
        fprintf(to, "\n                '%s:", s->name);
        zsh_text(s->help, to);
        fputc('\'', to);
    }
    fputs(")\n            _describe sub-verb subs\n            return\n        fi\n"
          "        shift words\n        ((CURRENT--))\n        case $words[1] in\n",
          to);
    for (const struct line_sub *s = line->subs; s->name != NULL; s++) {
        fprintf(to, "            %s) ", s->name);
        zsh_sub(s, to);
    }
    fputs("        esac ;;\n", to);
}

static void zsh_usage(const struct cmd_verb *v, FILE *to)
{
    const char *text = v->usage;
    struct str word;
    fprintf(to, "    %s) _arguments '--help'", v->name);
    while (next_option(&text, v->usage, &word))
        if (!str_is(word, "--help"))
            fprintf(to, " '" STR_FMT "'", STR_ARG(word));
    fputs(" '*:file:_files' ;;\n", to);
}

static void write_zsh(const struct cmd_verb *verbs, const struct line_verb *const *lines, FILE *to)
{
    fputs("#compdef pqota\n# Completion of pqota for zsh; made by `pqota completion zsh`.\n_pqota()\n{\n"
          "    if ((CURRENT == 2)); then\n        local -a verbs=(",
          to);
    for (const struct cmd_verb *v = verbs; v->name != NULL; v++) {
        fprintf(to, "\n            '%s:", v->name);
        zsh_text(v->help, to);
        fputc('\'', to);
    }
    fputs(")\n        _describe verb verbs\n        return\n    fi\n    shift words\n    ((CURRENT--))\n"
          "    case $words[1] in\n",
          to);
    for (const struct cmd_verb *v = verbs; v->name != NULL; v++) {
        const struct line_verb *line = line_of(lines, v->name);
        if (line != NULL)
            zsh_verb(line, to);
        else if (v->usage != NULL)
            zsh_usage(v, to);
    }
    fputs("    esac\n}\n_pqota \"$@\"\n", to);
}

/* --- fish ----------------------------------------------------------------------------------------------- */

static void fish_sub(const struct line_verb *line, const struct line_sub *s, FILE *to)
{
    const struct line_option *rows[LINE_OPTIONS_MAX];
    size_t n = line_options(s, rows);
    char when[160];
    if (has_subs(line))
        snprintf(when, sizeof when, "__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s",
                 line->name, s->name);
    else
        snprintf(when, sizeof when, "__fish_seen_subcommand_from %s", line->name);
    for (size_t i = 0; i < n; i++) {
        fprintf(to, "complete -c pqota -n '%s' -l %s", when, rows[i]->name);
        if (rows[i]->letter != '\0')
            fprintf(to, " -s %c", rows[i]->letter);
        if (rows[i]->choices != NULL)
            fprintf(to, " -x -a '%s'", rows[i]->choices);
        else if (rows[i]->value != NULL)
            fputs(takes_file(rows[i]) ? " -r -F" : " -x", to);
        fputs(" -d '", to);
        put_quoted(rows[i]->help, "\\'", to);
        fputs("'\n", to);
    }
    if (strstr(s->operands, "FILE") != NULL)
        fprintf(to, "complete -c pqota -n '%s' -F\n", when);
}

static void fish_subs(const struct line_verb *line, FILE *to)
{
    for (const struct line_sub *s = line->subs; has_subs(line) && s->name != NULL; s++) {
        fprintf(to,
                "complete -c pqota -n '__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from",
                line->name);
        for (const struct line_sub *other = line->subs; other->name != NULL; other++)
            fprintf(to, " %s", other->name);
        fprintf(to, "' -a %s -d '", s->name);
        put_quoted(s->help, "\\'", to);
        fputs("'\n", to);
    }
    for (const struct line_sub *s = line->subs; s->name != NULL; s++)
        fish_sub(line, s, to);
}

static void fish_usage(const struct cmd_verb *v, FILE *to)
{
    const char *text = v->usage;
    struct str word;
    while (next_option(&text, v->usage, &word))
        fprintf(to, "complete -c pqota -n '__fish_seen_subcommand_from %s' -l %.*s -F\n", v->name,
                (int)word.n - 2, word.p + 2);
}

static void write_fish(const struct cmd_verb *verbs, const struct line_verb *const *lines, FILE *to)
{
    fputs("# Completion of pqota for fish; made by `pqota completion fish`.\ncomplete -c pqota -f\n", to);
    for (const struct cmd_verb *v = verbs; v->name != NULL; v++) {
        fprintf(to, "complete -c pqota -n __fish_use_subcommand -a %s -d '", v->name);
        put_quoted(v->help, "\\'", to);
        fputs("'\n", to);
    }
    for (const struct cmd_verb *v = verbs; v->name != NULL; v++) {
        const struct line_verb *line = line_of(lines, v->name);
        if (line != NULL)
            fish_subs(line, to);
        else if (v->usage != NULL)
            fish_usage(v, to);
    }
}

void shells_write(const char *shell, const struct cmd_verb *verbs, const struct line_verb *const *lines,
                  FILE *to)
{
    static const struct {
        const char *shell;
        void (*write)(const struct cmd_verb *, const struct line_verb *const *, FILE *);
    } rows[] = {{"bash", write_bash}, {"zsh", write_zsh}, {"fish", write_fish}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(shell, rows[i].shell) == 0)
            rows[i].write(verbs, lines, to);
}
