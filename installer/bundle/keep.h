/* keep: the folder of a release in a store. Private to bundle/. */
#pragma once
#include "bundle/inside.h"
#include "bundle/store_dir.h"

/* Makes the release's folder in tmp: head, index.json and headers, as of a full bundle. */
struct err *keep_write(const struct store_dir *s, const struct bundle *b) ERR_MUST;
/* Adds the receipt, puts everything in the store on the disk, and then lists the release. */
struct err *keep_list(const struct store_dir *s, const struct bundle *b, const struct doc *receipt) ERR_MUST;
