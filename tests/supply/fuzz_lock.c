/* libFuzzer target: a lock. What is accepted, written and read again is the same lock. */
#include "supply/lock.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    OWN_DOC struct doc *lock = NULL, *again = NULL;
    OWN_BUF struct buf text = {0};
    struct err *e = lock_parse(&lock, "lock", p, n);
    if (e) {
        if (err_kind(e) != ERR_UNTRUSTED || !str_starts(err_text(e), "E_LOCK: "))
            abort();
        err_free(e);
        return 0;
    }
    e = doc_json_write(&text, lock);
    if (!e)
        e = lock_parse(&again, "lock", text.at, text.len);
    if (e || !doc_equal(lock, again))
        abort();
    return 0;
}
