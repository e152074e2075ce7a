/* SPDX-License-Identifier: ISC */
/* Replies: what may answer what, and their bytes. */
#include "sftp/message.h"

const char *sftp_status_text(uint32_t status)
{
    static const char *const texts[] = {
        [SSH_FX_OK] = "Success",
        [SSH_FX_EOF] = "End of file",
        [SSH_FX_NO_SUCH_FILE] = "No such file",
        [SSH_FX_PERMISSION_DENIED] = "Permission denied",
        [SSH_FX_FAILURE] = "Failure",
        [SSH_FX_BAD_MESSAGE] = "Bad message",
        [SSH_FX_NO_CONNECTION] = "No connection",
        [SSH_FX_CONNECTION_LOST] = "Connection lost",
        [SSH_FX_OP_UNSUPPORTED] = "Operation unsupported",
    };
    return status < COUNT_OF(texts) ? texts[status] : "Unknown error";
}

/* The message that carries a kind; the kinds that are not of the draft's own are EXTENDED_REPLY. */
static uint8_t wire_of(enum sftp_reply kind)
{
    static const uint8_t wires[] = {
        [SFTP_STATUS] = SSH_FXP_STATUS, [SFTP_HANDLE] = SSH_FXP_HANDLE, [SFTP_DATA] = SSH_FXP_DATA,
        [SFTP_NAME] = SSH_FXP_NAME,     [SFTP_ATTRS] = SSH_FXP_ATTRS,
    };
    return kind < COUNT_OF(wires) ? wires[kind] : SSH_FXP_EXTENDED_REPLY;
}

/* ---- NAME (draft 7) ---- */

static struct sftp_name name_read(struct rd *r)
{
    struct sftp_name n = {.name = rd_string(r)};
    n.longname = rd_string(r);
    n.attrs = sftp_attrs_read(r);
    return n;
}

bool sftp_name_next(struct bytes *names, struct sftp_name *out)
{
    if (names->n == 0) return false;
    struct rd r = rd_init(*names);
    struct sftp_name n = name_read(&r);
    if (r.err != ERR_NONE) {
        names->n = 0;
        return false;
    }
    *names = bytes_of(r.p, r.n);
    *out = n;
    return true;
}

void sftp_name_write(struct wr *w, const struct sftp_name *n)
{
    wr_string(w, n->name);
    wr_string(w, n->longname);
    sftp_attrs_write(w, &n->attrs);
}

static void names_read(struct rd *r, enum sftp_verb verb, struct sftp_result *out)
{
    out->count = rd_u32(r);
    out->names = bytes_of(r->p, r->n);
    for (uint32_t i = 0; i < out->count && r->err == ERR_NONE; i++) (void)name_read(r);
    out->names.n -= r->n;
    if (verb != SFTP_VERB_READDIR && out->count != 1) rd_fail(r, ERR_PROTOCOL);  /* a path was asked for: one, not none */
}

/* ---- the extensions' ---- */

static void vfs_read(struct rd *r, struct sftp_vfs *v)
{
    v->bsize = rd_u64(r), v->frsize = rd_u64(r), v->blocks = rd_u64(r), v->bfree = rd_u64(r), v->bavail = rd_u64(r);
    v->files = rd_u64(r), v->ffree = rd_u64(r), v->favail = rd_u64(r), v->fsid = rd_u64(r), v->flag = rd_u64(r);
    v->namemax = rd_u64(r);
}

static void vfs_write(struct wr *w, const struct sftp_vfs *v)
{
    wr_u64(w, v->bsize), wr_u64(w, v->frsize), wr_u64(w, v->blocks), wr_u64(w, v->bfree), wr_u64(w, v->bavail);
    wr_u64(w, v->files), wr_u64(w, v->ffree), wr_u64(w, v->favail), wr_u64(w, v->fsid), wr_u64(w, v->flag);
    wr_u64(w, v->namemax);
}

/* Strings that fill their room exactly. */
static struct bytes strings_read(struct rd *r)
{
    struct bytes all = rd_string(r);
    struct rd in = rd_init(all);
    while (in.n && in.err == ERR_NONE) (void)rd_string(&in);
    if (in.err != ERR_NONE) rd_fail(r, in.err);
    return all;
}

/* filexfer-extensions-00 3 has "check-file" before the algorithm's name, filexfer-13 9.1.2 has not. */
static void hashes_read(struct rd *r, struct sftp_result *out)
{
    out->text = rd_string(r);
    if (bytes_is(out->text, "check-file")) out->text = rd_string(r);
    out->data = rd_rest(r);
}

static void kind_read(struct rd *r, enum sftp_verb verb, struct sftp_result *out)
{
    struct sftp_limits *l = &out->limits;
    struct sftp_space *s = &out->space;
    switch (out->kind) {
    case SFTP_STATUS:
        out->status = rd_u32(r);
        if (r->n) out->text = rd_string(r);     /* servers of version 2 and less end here */
        if (r->n) (void)rd_string(r);
        break;
    case SFTP_HANDLE: out->handle = rd_string_max(r, SFTP_HANDLE_MAX); break;
    case SFTP_DATA:
        out->data.n = rd_u32(r);
        if (r->n) out->data = rd_raw(r, out->data.n);
        break;
    case SFTP_NAME: names_read(r, verb, out); break;
    case SFTP_ATTRS: out->attrs = sftp_attrs_read(r); break;
    case SFTP_VFS: vfs_read(r, &out->vfs); break;
    case SFTP_LIMITS:
        l->packet_max = rd_u64(r), l->read_max = rd_u64(r), l->write_max = rd_u64(r), l->handles_max = rd_u64(r);
        break;
    case SFTP_NAMES_OF_IDS: out->data = strings_read(r), out->data2 = strings_read(r); break;
    case SFTP_HASHES: hashes_read(r, out); break;
    case SFTP_SPACE:
        s->total = rd_u64(r), s->unused = rd_u64(r), s->user_total = rd_u64(r), s->user_unused = rd_u64(r), s->unit = rd_u32(r);
        break;
    }
}

enum err sftp_result_parse(struct bytes message, enum sftp_verb verb, struct sftp_result *out)
{
    struct rd r = rd_init(message);
    struct sftp_result got = {.kind = sftp_rows[verb].reply};
    uint8_t wire = rd_u8(&r);
    got.id = rd_u32(&r);
    if (r.err != ERR_NONE) return r.err;
    if (wire == SSH_FXP_STATUS) got.kind = SFTP_STATUS;
    else if (wire != wire_of(got.kind)) return ERR_PROTOCOL;
    kind_read(&r, verb, &got);
    TRY(rd_done(&r));
    *out = got;
    return ERR_NONE;
}

static void kind_write(struct wr *w, const struct sftp_result *r)
{
    const struct sftp_limits *l = &r->limits;
    const struct sftp_space *s = &r->space;
    switch (r->kind) {
    case SFTP_STATUS:
        wr_u32(w, r->status);
        wr_string(w, r->text.n ? r->text : bytes_str(sftp_status_text(r->status)));
        wr_cstring(w, "");
        break;
    case SFTP_HANDLE: wr_string(w, r->handle); break;
    case SFTP_DATA: wr_string(w, r->data); break;
    case SFTP_NAME:
        wr_u32(w, r->count);
        wr_raw(w, r->names);
        break;
    case SFTP_ATTRS: sftp_attrs_write(w, &r->attrs); break;
    case SFTP_VFS: vfs_write(w, &r->vfs); break;
    case SFTP_LIMITS: wr_u64(w, l->packet_max), wr_u64(w, l->read_max), wr_u64(w, l->write_max), wr_u64(w, l->handles_max); break;
    case SFTP_NAMES_OF_IDS: wr_string(w, r->data), wr_string(w, r->data2); break;
    case SFTP_HASHES:
        wr_cstring(w, "check-file");
        wr_string(w, r->text);
        wr_raw(w, r->data);
        break;
    case SFTP_SPACE:
        wr_u64(w, s->total), wr_u64(w, s->unused), wr_u64(w, s->user_total), wr_u64(w, s->user_unused), wr_u32(w, s->unit);
        break;
    }
}

void sftp_result_write(struct wr *w, const struct sftp_result *r)
{
    size_t mark = wr_begin(w);
    wr_u8(w, wire_of(r->kind));
    wr_u32(w, r->id);
    kind_write(w, r);
    wr_end(w, mark);
}

void sftp_data_head(uint8_t out[SFTP_DATA_HEAD], uint32_t id, uint32_t n)
{
    put_u32(out, n + SFTP_DATA_HEAD - 4);
    out[4] = SSH_FXP_DATA;
    put_u32(out + 5, id);
    put_u32(out + 9, n);
}
