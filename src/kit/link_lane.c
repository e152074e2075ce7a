/* SPDX-License-Identifier: ISC */
/* The lane's end of who asks (sftp/lane.h). Nothing here waits: where the socket takes no more, data comes through the pipe, as without a lane. */
#include "link_io.h"
#include "os/message.h"
#include "sftp/lane.h"

void link_set_lane(struct link *l, int sock)
{
    l->lane = sock;
    l->lane_on = false;
    l->lane_slots = 0;
}

static bool lane_say(struct link *l, const struct sftp_lane_message *m, int fd)
{
    uint8_t out[SFTP_LANE_MESSAGE];
    if (l->lane < 0) return false;
    sftp_lane_write(m, out);
    enum err e = message_send(l->lane, out, sizeof out, &fd, fd >= 0, false);
    if (e != ERR_NONE && e != ERR_AGAIN) l->lane = -1;
    return e == ERR_NONE;
}

/* HELLO was said before the first reply came through the pipe: now, or nobody is there who would. */
static bool lane_ready(struct link *l)
{
    uint8_t in[SFTP_LANE_MESSAGE];
    struct message got = {0};
    struct sftp_lane_message m;
    if (l->lane < 0 || l->lane_on) return l->lane >= 0;
    enum err e = message_recv(l->lane, in, sizeof in, false, &got);
    if (e == ERR_NONE) {
        message_close_fds(&got);
        e = sftp_lane_parse(bytes_of(in, got.n), &m);
        l->lane_on = e == ERR_NONE && m.verb == SFTP_LANE_HELLO;
    }
    if (!l->lane_on) l->lane = -1;
    return l->lane_on;
}

int link_lane_begin(struct link *l, int fd, uint64_t at, uint64_t end)
{
    int slot = 0;
    while (slot < SFTP_LANE_FILES && l->lane_slots >> slot & 1) slot++;
    if (slot == SFTP_LANE_FILES || !lane_ready(l)) return -1;
    if (!lane_say(l, &(struct sftp_lane_message){.verb = SFTP_LANE_FILE, .slot = (uint32_t)slot, .offset = at, .end = end}, fd)) return -1;
    l->lane_slots |= 1U << slot;
    return slot;
}

bool link_lane_read(struct link *l, int slot, uint64_t offset, uint32_t length)
{
    uint32_t id = sftp_client_lane(l->client);
    return lane_say(l, &(struct sftp_lane_message){.verb = SFTP_LANE_READ, .slot = (uint32_t)slot, .id = id, .offset = offset, .length = length}, -1);
}

/* If this cannot be said, the slot stays used. */
void link_lane_end(struct link *l, int slot)
{
    if (lane_say(l, &(struct sftp_lane_message){.verb = SFTP_LANE_END, .slot = (uint32_t)slot}, -1)) l->lane_slots &= ~(1U << slot);
}
