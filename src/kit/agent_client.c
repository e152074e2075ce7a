/* SPDX-License-Identifier: ISC */
#include "kit/agent_client.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "os/connect.h"

#define REQUEST_ROOM 4096               /* key, flags and lengths of a signature request beside its data */

enum err agent_connect(const char *path, int *out)
{
    if (!path || !*path) return ERR_NOT_FOUND;
    return connect_unix(path, out);
}

static enum err write_all(int fd, struct bytes b)
{
    while (b.n > 0) {
        ssize_t n = send(fd, b.p, b.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return ERR_PEER_GONE;
        b.p += n, b.n -= (size_t)n;
    }
    return ERR_NONE;
}

static enum err read_all(int fd, uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t got = recv(fd, p, n, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return ERR_PEER_GONE;
        p += got, n -= (size_t)got;
    }
    return ERR_NONE;
}

enum err agent_ask(int fd, struct bytes request, struct secret *answer)
{
    struct secret text CLEANUP(secret_clear) = {0};
    uint8_t head[4];
    TRY(write_all(fd, request));
    TRY(read_all(fd, head, sizeof head));
    uint32_t n = get_u32(head);
    if (n == 0 || n > AGENT_MESSAGE_MAX) return ERR_LENGTH;
    TRY(secret_new(&text, n));
    TRY(read_all(fd, text.p, n));
    secret_clear(answer);
    *answer = text;
    text = (struct secret){0};
    return ERR_NONE;
}

enum err agent_command(int fd, struct bytes request)
{
    struct secret answer CLEANUP(secret_clear) = {0};
    TRY(agent_ask(fd, request, &answer));
    return agent_success_parse(secret_bytes(&answer));
}

enum err agent_list(int fd, struct secret *answer, struct rd *r, uint32_t *count)
{
    uint8_t room[8];
    struct wr request = wr_span((struct span){room, sizeof room});
    agent_list_write(&request);
    TRY(wr_done(&request));
    TRY(agent_ask(fd, wr_bytes(&request), answer));
    return agent_list_begin(secret_bytes(answer), r, count);
}

enum err agent_sign(int fd, const struct pubkey *key, const struct sig_alg *alg, struct bytes msg, struct wr *out)
{
    struct secret answer CLEANUP(secret_clear) = {0};
    struct wr request CLEANUP(wr_clear) = wr_heap(msg.n + PUBKEY_BLOB_MAX + REQUEST_ROOM);
    struct bytes sig;
    uint32_t flags = strcmp(alg->sig_name, "rsa-sha2-256") == 0   ? AGENT_RSA_SHA2_256
                     : strcmp(alg->sig_name, "rsa-sha2-512") == 0 ? AGENT_RSA_SHA2_512 : 0;
    agent_sign_write(&request, pubkey_blob(key), msg, flags);
    TRY(wr_done(&request));
    TRY(agent_ask(fd, wr_bytes(&request), &answer));
    TRY(agent_sign_parse(secret_bytes(&answer), &sig));
    if (pubkey_verify_facts(key, alg, msg, sig, NULL) != VERDICT_GOOD) return ERR_SIGNATURE;
    wr_raw(out, sig);
    return wr_done(out);
}
