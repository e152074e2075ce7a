/* SPDX-License-Identifier: ISC */
/* A face: one connection's state. It translates: what the conn asks becomes a message to the warden, what the warden says becomes an
 * answer to the conn. It decides nothing that matters: whatever it claims, the warden holds against its own state. */
#ifndef SSHD_NET_FACE_H
#define SSHD_NET_FACE_H

#include "kit/pump.h"
#include "net.h"

#define CHANS_MAX CHANNELS_MAX

enum chan_kind { CHAN_FREE, CHAN_SESSION, CHAN_FORWARD };
struct face_chan {
    uint8_t kind;
    bool started, exited, ended;    /* session: something runs; its end was told; all its output was read */
    bool peer_ended;                /* the peer's EOF came */
    int master;                     /* the terminal while the pump reads it; -1 */
    int pending;                    /* a descriptor that waits for the peer to confirm the channel; -1 */
    uint32_t question;              /* direct-tcpip: the open question; 0: none */
    bool has_pty, expired;          /* expired: closed for its silence (ChannelTimeout) */
    uint32_t timeout_s;             /* 0: never */
    uint64_t since_us;              /* when it was opened */
    uint64_t eof_at_us;             /* session: when EOF leaves, status or not; 0: it left, or is not due */
    struct face_files *files;       /* session: files are served here, no program runs; NULL: it does */
};

struct face {
    const struct net_setup *setup;
    struct conn *conn;
    struct pump *pump;
    int chan, out;                  /* the warden; where the peer is written to */
    uint32_t sign_question, auth_question;      /* open questions of the conn; 0: none */
    uint32_t prove_question, prove_left;        /* hostkeys-prove: answers still to come */
    struct wr proofs;
    bool authenticated, ident_sent;
    struct wr banner;               /* what the warden said of it so far; goes out before the next answer */
    bool start_pending;             /* nothing more is read from the peer until the warden has said what became of a START */
    struct policy policy;
    uint64_t packets_seen, alive_at_us;         /* client alive */
    uint32_t alive_missed;
    unsigned sessions;
    bool agent_by_rfc;              /* the agent was asked for by RFC 9987's name: its channels get that one, too */
    bool limits;                                /* some ChannelTimeout or UnusedConnectionTimeout applies */
    uint64_t unused_since_us;                   /* since when there is no channel */
    uint32_t tos;                               /* what is set on the socket */
    uint32_t listen_port_asked;                 /* global requests are answered one by one */
    unsigned fds_left;                          /* of files, for all channels together */
    uint64_t work_at_us;                        /* hashes are due; 0: none */
    struct face_chan chans[CHANS_MAX];
};

/* Room for one message to the warden, too large for a stack. */
extern union ask face_ask_out;
void face_trim(void);

/* A message to the warden; without a warden there is no connection. */
void face_ask(struct face *f, const void *msg);
/* The end: told to the warden. Never returns. */
NORETURN void face_bye(struct face *f, enum bye_why why, enum err e);

/* Write what the conn holds, waiting until the peer has taken some of it. */
void face_flush(struct face *f);
/* Have the pump wake us for what is due first. */
void face_alarm(struct face *f);

/* face_auth.c */
void face_sign(struct face *f, const struct event *ev);
void face_signed(struct face *f, const struct say_signed *say);
void face_auth_try(struct face *f, const struct event *ev);
void face_ext(struct face *f, const struct say_ext *say);
void face_auth_say(struct face *f, const struct say_auth *say);
void face_hostkeys_announce(struct face *f);
void face_prove(struct face *f, const struct event *ev);
void face_proved(struct face *f, const struct say_signed *say);
void face_gex(struct face *f, const struct event *ev);
void face_group(struct face *f, const struct say_group *say);

/* face_channel.c */
void face_channel_event(struct face *f, const struct event *ev);
void face_sources_ended(struct face *f, uint32_t chan);
/* Let every EOF leave whose time has come; returns when the next is due, UINT64_MAX: none waits. */
uint64_t face_eof_due(struct face *f, uint64_t now_us);
void face_reply(struct face *f, const struct say_reply *say);
void face_started(struct face *f, const struct say_started *say, const int fds[3]);
void face_exit(struct face *f, const struct say_exit *say);
void face_connected(struct face *f, const struct say_connected *say, int fd);
void face_listening(struct face *f, const struct say_listening *say);
void face_accepted(struct face *f, const struct say_accepted *say, int fd);

/* face_limits.c: ChannelTimeout, UnusedConnectionTimeout, RekeyLimit and IPQoS of this user. */
void face_limits_begin(struct face *f);
void face_limits_opened(struct face *f, uint32_t chan, uint32_t timeout_s);
/* End what was silent for too long by now; returns when the next is due, UINT64_MAX: nothing. */
uint64_t face_limits_due(struct face *f, uint64_t now_us);
void face_qos(struct face *f);

/* face_files.c: SFTP. The line leads to the file hand and is ours from now on; false: closed, no memory. */
bool face_files_begin(struct face *f, uint32_t chan, int line);
void face_files_data(struct face *f, uint32_t chan, struct bytes data);
void face_files_peer_eof(struct face *f, uint32_t chan);
void face_files_end(struct face *f, uint32_t chan);
/* A line is readable or writable; the channel has room; hashes are due. */
void face_files_line(struct face *f, int fd);
void face_files_room(struct face *f, uint32_t chan);
void face_files_work(struct face *f);

/* face_trace.c */
void face_trace(struct face *f);
/* A debug line for the warden's log; the peer's words in it are escaped. */
void face_line(struct face *f, uint32_t level, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Take what the warden said, without waiting. */
void face_hear(struct face *f);
/* A mark of our own where the peer wants no answer but we do. */
#define QUESTION_START UINT32_MAX

/* Answer a question of the conn, yes or no. */
void face_answer(struct face *f, uint32_t question, bool yes);

#endif
