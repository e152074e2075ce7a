/* SPDX-License-Identifier: ISC */
/* What executor and face both say: errno as a status, struct stat as attributes, the greeting. */
#include <errno.h>

#include "kit/files.h"

uint32_t files_status(int error)
{
    static const struct {
        int error;
        uint32_t status;
    } rows[] = {
        {0, SSH_FX_OK}, {ENOENT, SSH_FX_NO_SUCH_FILE}, {ENOTDIR, SSH_FX_NO_SUCH_FILE}, {EBADF, SSH_FX_NO_SUCH_FILE}, {ELOOP, SSH_FX_NO_SUCH_FILE},
        {EPERM, SSH_FX_PERMISSION_DENIED}, {EACCES, SSH_FX_PERMISSION_DENIED}, {EFAULT, SSH_FX_PERMISSION_DENIED},
        {ENAMETOOLONG, SSH_FX_BAD_MESSAGE}, {EINVAL, SSH_FX_BAD_MESSAGE}, {ENOSYS, SSH_FX_OP_UNSUPPORTED}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].error == error) return rows[i].status;
    return SSH_FX_FAILURE;
}

struct sftp_attrs files_attrs(const struct stat *st)
{
    return (struct sftp_attrs){
        .flags = SSH_FILEXFER_ATTR_SIZE | SSH_FILEXFER_ATTR_UIDGID | SSH_FILEXFER_ATTR_PERMISSIONS | SSH_FILEXFER_ATTR_ACMODTIME,
        .size = (uint64_t)st->st_size, .uid = st->st_uid, .gid = st->st_gid, .mode = st->st_mode,
        .atime_s = (uint32_t)st->st_atime, .mtime_s = (uint32_t)st->st_mtime};
}

enum err files_hello_parse(struct bytes datagram, struct files_hello *out)
{
    struct rd r = rd_init(datagram);
    struct files_hello h = {.read_only = rd_bool(&r)};
    h.refused = rd_u64(&r);
    TRY(rd_done(&r));
    *out = h;
    return ERR_NONE;
}
