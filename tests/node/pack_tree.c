/* pack_tree: PATH=SOURCE... to a node package on standard output. */
#include "pack/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct tree_file *files = calloc((size_t)argc, sizeof *files);
    struct tree_info info;
    for (int i = 1; files && i < argc; i++) {
        char *eq = strchr(argv[i], '=');
        if (!eq)
            return 64;
        *eq = '\0';
        files[i - 1] = (struct tree_file){.path = argv[i], .mode = 0755, .source = eq + 1};
    }
    struct err *e = files ? tree_pack(&info, STDOUT_FILENO, files, (size_t)argc - 1, 3) : NULL;
    if (e)
        (void)fprintf(stderr, "%s\n", err_text(e));
    free(files);
    return err_exit_code(e);
}
