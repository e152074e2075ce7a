/* SPDX-License-Identifier: ISC */
/* The agent protocol (RFC 9987), the client's end: requests as messages, answers taken apart. Pure. Requests are written whole, with
 * their u32 length; an answer is what follows its length. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "base/rd.h"
#include "base/wr.h"

#define AGENT_MESSAGE_MAX 262144    /* OpenSSH's limit for an answer */
#define AGENT_KEYS_MAX    2048      /* identities listened to */

/* RFC 9987 3.6.1: flags of a signature request. */
enum { AGENT_RSA_SHA2_256 = 2, AGENT_RSA_SHA2_512 = 4 };

/* SSH_AGENTC_REQUEST_IDENTITIES, whole with its length. */
void agent_list_write(struct wr *w);

struct agent_key {
    struct bytes blob, comment;     /* views into the answer; comment raw */
};
/* Begin with the answer to a list: *r stands at the first key, *count says how many there are. ERR_DENIED: the agent refused;
 * ERR_FORMAT, ERR_TRUNCATED: not such an answer; ERR_BUDGET: more than AGENT_KEYS_MAX. */
MUST_USE enum err agent_list_begin(struct bytes answer, struct rd *r, uint32_t *count);
MUST_USE enum err agent_list_next(struct rd *r, struct agent_key *out);

/* SSH_AGENTC_SIGN_REQUEST, whole with its length. */
void agent_sign_write(struct wr *w, struct bytes key_blob, struct bytes data, uint32_t flags);
/* The signature blob. ERR_DENIED: the agent refused. */
MUST_USE enum err agent_sign_parse(struct bytes answer, struct bytes *out);

/* session-bind@openssh.com (PROTOCOL.agent): tells the agent which host this connection serves, with that host's proof. */
void agent_bind_write(struct wr *w, struct bytes hostkey, struct bytes session_id, struct bytes signature, bool forwarding);

#endif
