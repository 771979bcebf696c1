/* The fuzz targets' properties over their corpus: a plain test, so that a finding stays found. */
#include "input.h"

#include "check.h"

#include <dirent.h>

static void own_closedir(DIR *const *d)
{
    (void)closedir(*d);
}

static void each_file(const char *folder, void (*run)(const void *, size_t))
{
    OWN_FREE char *path = check_path(SOURCE_DIR "/tests/doc/corpus", folder);
    OWN(own_closedir) DIR *dir = opendir(path);
    assert_non_null(dir);
    size_t n = 0;
    for (struct dirent *d; (d = readdir(dir));) {
        if (d->d_name[0] == '.')
            continue;
        OWN_BUF struct buf b = {0};
        OK(file_read(&b, dirfd(dir), d->d_name));
        run(buf_text(&b), b.len);
        n++;
    }
    assert_true(n >= 10);
}

static void yaml(void **state)
{
    (void)state;
    each_file("yaml", yaml_input);
}

static void json(void **state)
{
    (void)state;
    each_file("json", json_input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(yaml), cmocka_unit_test(json)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
