#include "cmd/shells.h"

#include "check.h"
#include "frame.h"

static char *written(const char *shell)
{
    char *text = NULL;
    size_t n;
    FILE *f = memory_stream(&text, &n);
    shells_write(shell, cmd_verbs, line_verbs, f);
    fclose(f);
    return text;
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    while ((text = strstr(text, part)) != NULL) {
        text += strlen(part);
        n++;
    }
    return n;
}

static void bash(void **state)
{
    (void)state;
    char *text = written("bash");
    assert_non_null(strstr(text, "compgen -W 'plain device --help --version'"));
    assert_non_null(
        strstr(text, "'plain ') files=yes words='--help --some-thing --other' ;;")); /* each once */
    assert_non_null(
        strstr(text, "'device ') words='list show history tag add token release set revoke --help' ;;"));
    assert_non_null(strstr(text, "'device tag') words='--remove --profile --help' ;;"));
    assert_int_equal(count(text, "'device list --model'"), 1);
    /* Only verbs of the table, even if there are tables of others. */
    assert_null(strstr(text, "'firmware ')"));
    assert_int_equal(count(text, "'") % 2, 0);
    free(text);
}

static void zsh(void **state)
{
    (void)state;
    char *text = written("zsh");
    assert_memory_equal(text, "#compdef pqota\n", 15);
    assert_non_null(strstr(text, "'plain:it'\\''s a verb without tables'"));
    assert_non_null(strstr(text, "'--model=[those of that model]:MODEL: '"));
    assert_non_null(strstr(text, "'--profile=[which server, with which credential]:FILE:_files'"));
    assert_non_null(strstr(text, "'*:ID TAG: '"));
    free(text);
}

static void fish(void **state)
{
    (void)state;
    char *text = written("fish");
    assert_non_null(strstr(text, "-n __fish_use_subcommand -a plain -d 'it\\'s a verb without tables'"));
    assert_non_null(strstr(text, "-l some-thing"));
    assert_non_null(strstr(
        text, "__fish_seen_subcommand_from device; and __fish_seen_subcommand_from tag' -l remove -s r"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bash), cmocka_unit_test(zsh), cmocka_unit_test(fish)};
    return RUN(tests);
}
