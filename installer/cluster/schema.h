/* schema: the keys of cluster.yaml and the rule for each value. */
#pragma once
#include "doc/doc.h"

/* ERR_USAGE at the place of the first thing that is wrong. */
struct err *cluster_schema_check(const struct doc *d) ERR_MUST;
