/* SPDX-License-Identifier: ISC */
#include "priv/face_conf.h"

#include "base/rd.h"

void face_conf_write(struct wr *w, const struct face_conf *c)
{
    wr_u32(w, c->jail_uid), wr_u32(w, c->jail_gid), wr_u32(w, c->rung_first);
    wr_string(w, c->software);
    wr_string(w, c->kex), wr_string(w, c->ciphers), wr_string(w, c->macs), wr_string(w, c->sig_algs);
    wr_u32(w, c->agent_told), wr_u32(w, c->compression);
    wr_u64(w, c->rekey_bytes), wr_u64(w, c->rekey_s);
    wr_u32(w, c->debug);
    wr_u32(w, c->hostkey_count);
    for (size_t i = 0; i < c->hostkey_count; i++) wr_string(w, c->hostkey[i].blob), wr_string(w, c->hostkey[i].algs);
}

enum err face_conf_parse(struct bytes text, struct face_conf *out)
{
    struct rd r = rd_init(text);
    struct face_conf c = {0};
    c.jail_uid = rd_u32(&r), c.jail_gid = rd_u32(&r), c.rung_first = rd_u32(&r);
    c.software = rd_string(&r);
    c.kex = rd_string(&r), c.ciphers = rd_string(&r), c.macs = rd_string(&r), c.sig_algs = rd_string(&r);
    c.agent_told = rd_u32(&r), c.compression = rd_u32(&r);
    c.rekey_bytes = rd_u64(&r), c.rekey_s = rd_u64(&r);
    c.debug = rd_u32(&r);
    c.hostkey_count = rd_u32(&r);
    if (c.hostkey_count > FACE_HOSTKEYS_MAX) rd_fail(&r, ERR_RANGE), c.hostkey_count = 0;
    for (size_t i = 0; i < c.hostkey_count; i++) c.hostkey[i].blob = rd_string(&r), c.hostkey[i].algs = rd_string(&r);
    TRY(rd_done(&r));
    *out = c;
    return ERR_NONE;
}
