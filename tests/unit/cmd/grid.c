#include "cmd/grid.h"

#include "check.h"

static const struct grid_column columns[] = {{"ID", GRID_RIGHT}, {"NAME", GRID_LEFT}, {"NOTE", GRID_LEFT}};
static const struct grid_column properties[] = {{NULL, GRID_LEFT}, {NULL, GRID_LEFT}};

static char *printed(const struct grid *g, size_t width)
{
    char *text = NULL;
    size_t n;
    FILE *f = memory_stream(&text, &n);
    assert_int_equal(grid_print(g, f, width), 0);
    fclose(f);
    return text;
}

static void assert_printed(const struct grid *g, size_t width, const char *want)
{
    char *text = printed(g, width);
    assert_string_equal(text, want);
    free(text);
}

static void fill(struct grid *g)
{
    grid_cellf(g, "%d", 7);
    grid_cell_z(g, "gw");
    grid_cell_z(g, "a longer note");
    grid_cellf(g, "%d", 1234);
    grid_cell_z(g, "gr\xc3\xbc\xc3\x9f"
                   "e");
    grid_cell(g, (struct str){0});
}

static void aligned(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    struct grid g;
    grid_init(&g, &a, columns, 3);
    fill(&g);
    assert_printed(&g, GRID_UNLIMITED,
                   "  ID  NAME   NOTE\n"
                   "   7  gw     a longer note\n"
                   "1234  gr\xc3\xbc\xc3\x9f"
                   "e  -\n");
    arena_fini(&a);
}

static void last_column_is_cut(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    struct grid g;
    grid_init(&g, &a, columns, 3);
    fill(&g);
    assert_printed(&g, 22,
                   "  ID  NAME   NOTE\n   7  gw     a longer…\n1234  gr\xc3\xbc\xc3\x9f"
                   "e  -\n");
    assert_printed(&g, 5,
                   "  ID  NAME   NOTE\n   7  gw     a longe…\n1234  gr\xc3\xbc\xc3\x9f"
                   "e  -\n");
    arena_fini(&a);
}

static void device_text_cannot_write_to_the_terminal(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    struct grid g;
    grid_init(&g, &a, properties, 2);
    grid_cell_z(&g, "message");
    grid_cell_z(&g, "ok\x1b]0;owned\x07\nrow 2");
    assert_printed(&g, GRID_UNLIMITED, "message  ok\\x1b]0;owned\\x07\\nrow 2\n");
    arena_fini(&a);
}

static void nothing_prints_nothing(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    struct grid g;
    grid_init(&g, &a, columns, 3);
    assert_printed(&g, 80, "");
    arena_fini(&a);
}

static void exhausted_is_an_error(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    struct grid g;
    grid_init(&g, &a, columns, 3);
    for (int i = 0; i < 1000; i++)
        fill(&g);
    assert_int_equal(grid_print(&g, stdout, 80), ERR_NOMEM);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned),
        cmocka_unit_test(last_column_is_cut),
        cmocka_unit_test(device_text_cannot_write_to_the_terminal),
        cmocka_unit_test(nothing_prints_nothing),
        cmocka_unit_test(exhausted_is_an_error),
    };
    return RUN(tests);
}
