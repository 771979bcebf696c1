/* Bytes that are no good cluster.yaml, or nearly one: nothing may crash, hang or be half accepted. */
#include "check.h"
#include "cluster_input.h"

#include <dirent.h>

static void corpus(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *path = check_path(folder, "cluster.yaml");
    DIR *d = opendir(SOURCE_DIR "/tests/cluster/corpus");
    assert_non_null(d);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(d));) {
        if (entry->d_name[0] == '.')
            continue;
        OWN_BUF struct buf bytes = {0};
        OK(file_read(&bytes, dirfd(d), entry->d_name));
        cluster_input_run(path, bytes.at, bytes.len);
        n++;
    }
    closedir(d);
    assert_true(n > 5);
}

/* The good file cut at every byte, and with every byte changed in one bit. */
static void nearly_good(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *path = check_path(folder, "cluster.yaml");
    OWN_BUF struct buf good = {0};
    OK(file_read(&good, AT_FDCWD, SOURCE_DIR "/tests/cluster/corpus/good"));
    for (size_t i = 0; i < good.len; i++)
        cluster_input_run(path, good.at, i);
    for (size_t i = 0; i < good.len; i++) {
        good.at[i] = (char)(good.at[i] ^ (1 << (i % 7)));
        cluster_input_run(path, good.at, good.len);
        good.at[i] = (char)(good.at[i] ^ (1 << (i % 7)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus),
        cmocka_unit_test(nearly_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
