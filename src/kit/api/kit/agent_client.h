/* SPDX-License-Identifier: ISC */
/* Talking to an agent (RFC 9987): the one way in which our programs reach it. A question is written whole and its answer read whole; a
 * person may have to confirm in between, so nothing here has a time limit. One descriptor, one question at a time. */
#ifndef KIT_AGENT_CLIENT_H
#define KIT_AGENT_CLIENT_H

#include "agent/agent.h"
#include "base/secret.h"
#include "key/key.h"

/* Connect to the agent that listens at path. ERR_NOT_FOUND: path is NULL or empty; ERR_SYSTEM with errno. The descriptor is the
 * caller's to close. */
MUST_USE enum err agent_connect(const char *path, int *out);

/* Send one request (whole with its length, as agent.h's functions write it) and read the answer without its length. The request is
 * the caller's to wipe. ERR_PEER_GONE: the agent ended the connection; ERR_LENGTH: an empty answer or one above
 * AGENT_MESSAGE_MAX; ERR_NOMEM. After an error the connection is of no more use. */
MUST_USE enum err agent_ask(int fd, struct bytes request, struct secret *answer);

/* A request whose answer is success or failure: ERR_DENIED for a refusal. */
MUST_USE enum err agent_command(int fd, struct bytes request);

/* All keys of the agent: `answer` owns what *r and agent_list_next() show. ERR_DENIED and the errors of agent_list_begin(). */
MUST_USE enum err agent_list(int fd, struct secret *answer, struct rd *r, uint32_t *count);

/* Have the agent sign msg with key; appends the signature blob to out. The signature is verified here before it is believed:
 * ERR_SIGNATURE when the agent took another algorithm or key. ERR_DENIED: it refused. */
MUST_USE enum err agent_sign(int fd, const struct pubkey *key, const struct sig_alg *alg, struct bytes msg, struct wr *out);

#endif
