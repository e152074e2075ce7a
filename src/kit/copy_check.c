/* SPDX-License-Identifier: ISC */
/* What is on both sides already: SHA-256 of blocks, the far ones by check-file, the near ones by reading. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "copier.h"
#include "crypto/hash.h"

static int far_end(const struct copy *c)
{
    return c->link[FROM] ? FROM : TO;
}

bool check_possible(const struct copy *c)
{
    return !(c->link[FROM] && c->link[TO]) && sftp_client_has(c->link[far_end(c)]->client, SFTP_VERB_CHECK_FILE_NAME);
}

/* The far name of what is compared: a target's temporary one while it has that. */
static const char *far_path(const struct copy *c, const struct file *f)
{
    if (far_end(c) == FROM || !f->part) return file_path(f, far_end(c));
    if (f->folder) return tree_path(f->folder, TO, f->part);
    static char path[SFTP_PATH_MAX + 256];
    const char *slash = strrchr(f->path[TO], '/');
    size_t dir = slash ? (size_t)(slash + 1 - f->path[TO]) : 0;
    if (dir + strlen(f->part) + 1 > SFTP_PATH_MAX) return "";
    memcpy(path, f->path[TO], dir);
    memcpy(path + dir, f->part, strlen(f->part) + 1);
    return path;
}

static enum check span_ask(struct copy *c, struct file *f, uint64_t end)
{
    const char *why;
    uint64_t n = end - f->check_at < HASH_SPAN ? end - f->check_at : HASH_SPAN;
    struct sftp_op op = {.verb = SFTP_VERB_CHECK_FILE_NAME, .path = bytes_str(far_path(c, f)), .text = bytes_str("sha256"), .offset = f->check_at,
        .length = n, .block = HASH_BLOCK};
    if (copy_ask(c, far_end(c), &op, ASK_FILE, f, &why)) return CHECK_ASKED;
    return CHECK_AGAIN;
}

/* How many bytes from check_at on, in whole blocks or up to `end`, have these hashes here. */
static uint64_t span_compare(struct copy *c, struct file *f, int fd, struct bytes hashes, uint64_t end)
{
    uint64_t at = f->check_at, span_end = end - at < HASH_SPAN ? end : at + HASH_SPAN;
    while (at < span_end && hashes.n >= SHA256_LEN) {
        uint8_t digest[HASH_MAX];
        size_t want = span_end - at < HASH_BLOCK ? (size_t)(span_end - at) : HASH_BLOCK, have = 0;
        while (have < want) {
            ssize_t n = pread(fd, c->scratch + have, want - have, (off_t)(at + have));
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) break;
            have += (size_t)n;
        }
        if (have < want || hash_digest(&hash_sha256, bytes_of(c->scratch, want), digest) != ERR_NONE) break;
        if (memcmp(digest, hashes.p, SHA256_LEN) != 0) break;
        at += want;
        hashes.p += SHA256_LEN, hashes.n -= SHA256_LEN;
    }
    return at;
}

static bool hashes_good(const struct sftp_result *r)
{
    return r->kind == SFTP_HASHES && bytes_is(r->text, "sha256") && r->data.n % SHA256_LEN == 0;
}

static int near_open(const struct copy *c, const struct file *f)
{
    if (c->link[TO]) return f->fd[FROM];
    const char *part = f->part;
    if (f->folder) return openat(f->folder->fd[TO], part ? part : f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (!part) return open(f->path[TO], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char path[SFTP_PATH_MAX];
    const char *slash = strrchr(f->path[TO], '/');
    size_t dir = slash ? (size_t)(slash + 1 - f->path[TO]) : 0;
    if (dir + strlen(part) + 1 > sizeof path) return -1;
    memcpy(path, f->path[TO], dir);
    memcpy(path + dir, part, strlen(part) + 1);
    return open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

static uint64_t near_compare(struct copy *c, struct file *f, const struct sftp_result *r, uint64_t end)
{
    int fd = near_open(c, f);
    if (fd < 0) return f->check_at;
    uint64_t at = span_compare(c, f, fd, r->data, end);
    if (fd != f->fd[FROM]) close(fd);
    return at;
}

/* ---- resuming ---- */

static uint64_t common_length(const struct file *f)
{
    return f->target_size < f->size ? f->target_size : f->size;
}

enum check check_resume(struct copy *c, struct file *f)
{
    uint64_t end = common_length(f);
    if (!check_possible(c)) {
        f->start = c->s.resume_trust ? end : 0;
        return CHECK_DONE;
    }
    if (f->check_at >= end) return CHECK_DONE;
    return span_ask(c, f, end);
}

void check_resume_reply(struct copy *c, struct file *f, const struct sftp_result *r)
{
    uint64_t end = common_length(f), span_end = end - f->check_at < HASH_SPAN ? end : f->check_at + HASH_SPAN;
    if (hashes_good(r)) f->start = near_compare(c, f, r, end);
    f->check_at = f->start == span_end ? span_end : end;    /* the first difference is where copying goes on */
}

/* ---- verifying ---- */

enum check check_verify(struct copy *c, struct file *f)
{
    if (!check_possible(c)) {
        file_fail(c, f, "verify \"%s\": the server cannot hash files", file_path(f, TO));
        return CHECK_DONE;
    }
    if (f->failed || f->check_at >= f->have) return CHECK_DONE;
    return span_ask(c, f, f->have);
}

void check_verify_reply(struct copy *c, struct file *f, const struct sftp_result *r)
{
    uint64_t end = f->have, span_end = end - f->check_at < HASH_SPAN ? end : f->check_at + HASH_SPAN;
    uint64_t same = hashes_good(r) ? near_compare(c, f, r, end) : f->check_at;
    if (r->kind == SFTP_STATUS) file_fail(c, f, "verify \"%s\": %s", file_path(f, TO), link_status_text(r->status));
    else if (same != span_end) file_fail(c, f, "verify \"%s\": contents differ", file_path(f, TO));
    f->check_at = span_end;
}
