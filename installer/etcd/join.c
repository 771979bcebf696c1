#include "etcd/join.h"

#include "base/str.h"

static const char *first_url(const struct doc *member)
{
    const struct doc *urls = doc_get(member, "peerURLs");
    return urls && urls->child && urls->child->text ? urls->child->text : "";
}

const struct doc *join_find(const struct doc *members, const char *name, const char *peer_url)
{
    DOC_EACH (m, members)
        if (str_eq(doc_text(m, "name"), name) || doc_list_has(doc_get(m, "peerURLs"), peer_url))
            return m;
    return NULL;
}

enum join_action join_decide(const char **ret_id, const struct doc *members, const char *name, const char *peer_url,
                             bool has_data)
{
    const struct doc *m = join_find(members, name, peer_url);
    *ret_id = m ? doc_text(m, "ID") : NULL;
    if (!m)
        return has_data ? JOIN_REFUSE : JOIN_ADD;
    const char *known = doc_text(m, "name");
    bool started = known && *known, same = doc_list_has(doc_get(m, "peerURLs"), peer_url);
    if (has_data)
        return same ? JOIN_START : JOIN_REFUSE;
    return started || !same ? JOIN_REPLACE : JOIN_START;
}

struct err *join_env(struct buf *out, const struct doc *members, const char *name, const char *peer_url)
{
    TRY(buf_fmt(out, "ETCD_INITIAL_CLUSTER=%s=%s", name, peer_url));
    DOC_EACH (m, members) {
        const char *other = doc_text(m, "name");
        if (other && *other && !str_eq(other, name))
            TRY(buf_fmt(out, ",%s=%s", other, first_url(m)));
    }
    return buf_str(out, "\nETCD_INITIAL_CLUSTER_STATE=existing\n");
}
