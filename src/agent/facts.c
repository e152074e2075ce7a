/* SPDX-License-Identifier: ISC */
/* key-facts@nacre: what the agent knows of each key beside its name (see agent.h). */
#include "base/text.h"
#include "impl.h"

static uint32_t seconds(uint64_t us)
{
    uint64_t s = us / 1000000;
    return s < AGENT_NEVER ? (uint32_t)s : AGENT_NEVER - 1;
}

static void one_write(struct wr *w, const struct identity *id, uint64_t now_us)
{
    wr_string(w, pubkey_blob(id->pub));
    wr_string(w, secret_bytes(&id->comment));
    wr_u32(w, id->death_us == UINT64_MAX ? AGENT_NEVER : seconds(id->death_us - now_us));
    wr_bool(w, id->limits.confirm);
    wr_u32(w, id->uses);
    wr_u32(w, id->uses ? seconds(now_us - id->used_us) : AGENT_NEVER);
    wr_cstring(w, id->used_for);
    wr_cstring(w, id->provider ? id->provider : "");
    size_t mark = wr_begin(w);
    for (size_t i = 0; i < id->limits.dests_n; i++) {
        size_t one = wr_begin(w);
        destination_write(w, &id->limits.dests[i]);
        wr_end(w, one);
    }
    wr_end(w, mark);
}

/* For who sits at this machine: a host through which the agent was forwarded need not know who else may use a key. */
enum err do_facts(struct call *k)
{
    TRY(rd_done(&k->r));
    if (k->c->bind_tried) return ERR_DENIED;
    wr_u8(k->reply, MSG_EXTENSION_RESPONSE);
    wr_cstring(k->reply, AGENT_FACTS_NAME);
    for (const struct identity *id = k->a->ring; id; id = id->next) {
        size_t mark = wr_begin(k->reply);
        one_write(k->reply, id, k->now_us);
        wr_end(k->reply, mark);
    }
    return wr_done(k->reply);
}
