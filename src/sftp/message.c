/* SPDX-License-Identifier: ISC */
/* Requests: the table, and their bytes by the letters of a row. */
#include "sftp/message.h"

const struct sftp_row sftp_rows[SFTP_VERB_COUNT] = {
#define X(name, wire, ext, version, letters, reply, changes, policy) \
    [SFTP_VERB_##name] = {wire, ext, version, letters, reply, changes, policy},
    SFTP_TABLE(X)
#undef X
};

enum sftp_verb sftp_verb_find(struct bytes policy_name)
{
    unsigned v = 0;
    while (v < SFTP_VERB_COUNT && !bytes_is(policy_name, sftp_rows[v].policy)) v++;
    return (enum sftp_verb)v;
}

enum sftp_verb sftp_extension_find(struct bytes name)
{
    unsigned v = 0;
    while (v < SFTP_VERB_COUNT && !(sftp_rows[v].extension && bytes_is(name, sftp_rows[v].extension))) v++;
    return (enum sftp_verb)v;
}

bool sftp_name_plain(struct bytes name)
{
    if (name.n == 0 || bytes_is(name, ".") || bytes_is(name, "..")) return false;
    return !memchr(name.p, '/', name.n) && !memchr(name.p, 0, name.n);
}

static enum sftp_verb wire_find(uint8_t wire)
{
    unsigned v = 0;
    while (v < SFTP_VERB_COUNT && (sftp_rows[v].extension || sftp_rows[v].wire != wire)) v++;
    return (enum sftp_verb)v;
}

/* ---- attributes (draft 5) ---- */

#define ATTR_EXTENDED 0x80000000U
#define ATTRS_KNOWN   (SSH_FILEXFER_ATTR_SIZE | SSH_FILEXFER_ATTR_UIDGID | SSH_FILEXFER_ATTR_PERMISSIONS | SSH_FILEXFER_ATTR_ACMODTIME)

struct sftp_attrs sftp_attrs_read(struct rd *r)
{
    struct sftp_attrs a = {0};
    uint32_t flags = rd_u32(r);
    a.flags = flags & ATTRS_KNOWN;
    if (flags & SSH_FILEXFER_ATTR_SIZE) a.size = rd_u64(r);
    if (flags & SSH_FILEXFER_ATTR_UIDGID) a.uid = rd_u32(r), a.gid = rd_u32(r);
    if (flags & SSH_FILEXFER_ATTR_PERMISSIONS) a.mode = rd_u32(r);
    if (flags & SSH_FILEXFER_ATTR_ACMODTIME) a.atime_s = rd_u32(r), a.mtime_s = rd_u32(r);
    if (flags & ATTR_EXTENDED) {
        uint32_t count = rd_u32(r);
        for (uint32_t i = 0; i < count && r->err == ERR_NONE; i++) {    /* each takes 8 bytes at least: the bytes bound the loop */
            (void)rd_string(r);
            (void)rd_string(r);
        }
    }
    return a;
}

void sftp_attrs_write(struct wr *w, const struct sftp_attrs *a)
{
    wr_u32(w, a->flags & ATTRS_KNOWN);
    if (a->flags & SSH_FILEXFER_ATTR_SIZE) wr_u64(w, a->size);
    if (a->flags & SSH_FILEXFER_ATTR_UIDGID) wr_u32(w, a->uid), wr_u32(w, a->gid);
    if (a->flags & SSH_FILEXFER_ATTR_PERMISSIONS) wr_u32(w, a->mode);
    if (a->flags & SSH_FILEXFER_ATTR_ACMODTIME) wr_u32(w, a->atime_s), wr_u32(w, a->mtime_s);
}

/* ---- requests ---- */

/* A path or a text that the server hands to the kernel: it has no NUL. */
static struct bytes text_read(struct rd *r)
{
    struct bytes b = rd_string(r);
    if (b.n && memchr(b.p, 0, b.n)) rd_fail(r, ERR_FORMAT);
    return b;
}

static struct bytes ids_read(struct rd *r)
{
    struct bytes b = rd_string(r);
    if (b.n % 4) rd_fail(r, ERR_FORMAT);
    return b;
}

static void arg_read(struct rd *r, char letter, struct sftp_op *op)
{
    switch (letter) {
    case 'p': op->path = text_read(r); break;
    case 'q': op->path2 = text_read(r); break;
    case 'h': op->handle = rd_string_max(r, SFTP_HANDLE_MAX); break;
    case 'j': op->handle2 = rd_string_max(r, SFTP_HANDLE_MAX); break;
    case 'f': op->flags = rd_u32(r); break;
    case 'a': op->attrs = sftp_attrs_read(r); break;
    case 'o': op->offset = rd_u64(r); break;
    case 'O': op->offset2 = rd_u64(r); break;
    case 'n': op->length = rd_u64(r); break;
    case 'm':
    case 'd': op->length = rd_u32(r); break;
    case 'u': op->uids = ids_read(r); break;
    case 'g': op->gids = ids_read(r); break;
    case 'x': op->text = text_read(r); break;
    default: op->block = rd_u32(r); break;
    }
}

static void arg_write(struct wr *w, char letter, const struct sftp_op *op)
{
    switch (letter) {
    case 'p': wr_string(w, op->path); break;
    case 'q': wr_string(w, op->path2); break;
    case 'h': wr_string(w, op->handle); break;
    case 'j': wr_string(w, op->handle2); break;
    case 'f': wr_u32(w, op->flags); break;
    case 'a': sftp_attrs_write(w, &op->attrs); break;
    case 'o': wr_u64(w, op->offset); break;
    case 'O': wr_u64(w, op->offset2); break;
    case 'n': wr_u64(w, op->length); break;
    case 'm':
    case 'd': wr_u32(w, (uint32_t)op->length); break;
    case 'u': wr_string(w, op->uids); break;
    case 'g': wr_string(w, op->gids); break;
    case 'x': wr_string(w, op->text); break;
    default: wr_u32(w, op->block); break;
    }
}

enum err sftp_op_parse(struct bytes message, struct sftp_op *out)
{
    struct rd r = rd_init(message);
    uint8_t wire = rd_u8(&r);
    struct sftp_op op = {.id = rd_u32(&r)};
    enum sftp_verb verb = wire == SSH_FXP_EXTENDED ? sftp_extension_find(rd_string(&r)) : wire_find(wire);
    if (r.err != ERR_NONE) return r.err;
    out->id = op.id;
    if (verb == SFTP_VERB_COUNT) return ERR_UNSUPPORTED;
    op.verb = verb;
    for (const char *l = sftp_rows[verb].letters; *l; l++) arg_read(&r, *l, &op);
    if (verb == SFTP_VERB_WRITE) (void)rd_rest(&r);     /* the data: the caller's */
    TRY(rd_done(&r));
    *out = op;
    return ERR_NONE;
}

void sftp_op_write(struct wr *w, const struct sftp_op *op)
{
    const struct sftp_row *row = &sftp_rows[op->verb];
    size_t mark = wr_begin(w);
    wr_u8(w, row->wire);
    wr_u32(w, op->id);
    if (row->extension) wr_cstring(w, row->extension);
    for (const char *l = row->letters; *l; l++) arg_write(w, *l, op);
    wr_end(w, mark);
    if (op->verb == SFTP_VERB_WRITE && w->err == ERR_NONE)
        put_u32(w->p + mark, get_u32(w->p + mark) + (uint32_t)op->length);
}
