/* template_input: any bytes as a definition to be filled: YAML of {vars, text, tree}. */
#pragma once
#include <stddef.h>

/* Ends the process when the answer breaks a rule: errors are usage errors, what is filled can be written and read. */
void template_input_run(const void *p, size_t n);
