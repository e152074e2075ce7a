/* SPDX-License-Identifier: ISC */
/* The lane's end in the process that decrypts (sftp/lane.h): writes DATA that it was told of into the files that it was given. */
#ifndef KIT_LANE_H
#define KIT_LANE_H

#include "kit/pump.h"

struct lane;

/* From now on replies of the channel that `sorter` is set for are followed from their first byte on. Says HELLO. Takes over the socket. NULL: out of
 * memory, or nobody at the other end any more; the socket is closed. */
struct lane *lane_open(int sock);
void lane_free(struct lane *l);
/* To wait for. */
int lane_fd(const struct lane *l);
/* Bytes written to files so far. */
uint64_t lane_placed(const struct lane *l);
/* Take the messages that have come. False: it is the end, no more will. */
bool lane_listen(struct lane *l);
/* A pump_sorter; ctx is the lane. System calls: recvmsg on the lane, pwritev and close on files that it was given. */
pump_sorter lane_sort;

#endif
