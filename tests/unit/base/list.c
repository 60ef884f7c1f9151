#include "base/list.h"

#include "check.h"

struct item {
    int value;
    struct list link;
};

static void test_order_and_removal(void **state)
{
    (void)state;
    struct list head;
    struct item items[5];
    list_init(&head);
    assert_true(list_empty(&head));
    assert_null(list_pop(&head));
    for (int i = 0; i < 5; i++) {
        items[i].value = i;
        list_add_tail(&head, &items[i].link);
    }
    list_remove(&items[2].link);
    list_remove(&items[2].link); /* a second time does nothing */
    int sum = 0, last = -1;
    list_for_each(it, &head)
    {
        int v = container_of(it, struct item, link)->value;
        assert_true(v > last);
        last = v;
        sum += v;
    }
    assert_int_equal(sum, 0 + 1 + 3 + 4);
    list_for_each_safe(it, tmp, &head)
    {
        if (container_of(it, struct item, link)->value % 2 == 1)
            list_remove(it);
    }
    assert_ptr_equal(list_pop(&head), &items[0].link);
    assert_ptr_equal(list_pop(&head), &items[4].link);
    assert_null(list_pop(&head));
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order_and_removal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
