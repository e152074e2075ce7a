/* SPDX-License-Identifier: ISC */
#ifndef SFTP_TEST_FULL_OP_H
#define SFTP_TEST_FULL_OP_H

#include "sftp/message.h"

/* A request with something in each field. */
static inline struct sftp_op full_op(enum sftp_verb verb)
{
    return (struct sftp_op){
        .verb = verb, .id = 7, .path = BYTES_LIT("/a b"), .path2 = BYTES_LIT("c"), .handle = BYTES_LIT("hhhh"), .handle2 = BYTES_LIT("jj"),
        .flags = SSH_FXF_READ, .offset = 1ULL << 40, .offset2 = 9, .length = 300, .block = 512, .text = BYTES_LIT("sha256"),
        .uids = BYTES_LIT("\0\0\0\1"), .gids = BYTES_LIT("\0\0\0\1\0\0\0\2"),
        .attrs = {.flags = 15, .size = 1ULL << 33, .uid = 1, .gid = 2, .mode = 0100644, .atime_s = 3, .mtime_s = 4},
    };
}

#endif
