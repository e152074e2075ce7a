/* SPDX-License-Identifier: ISC */
/* Stands in sshd-net's place: a nursery whose faces are in the hands of the test. Whoever connects writes lines, each of which becomes
 * one message to the real warden:
 *   NAME HOW        a message of that type: exact, short, long, fd (one descriptor more or less), bounds (every length field too large)
 *   LOGIN USER PW   a password that is the right one
 *   RUN COMMAND     START with that command
 *   SFTP NAME       START with that subsystem; what comes with its answer is kept as the line to a file hand, for the next four
 *   HAND HEX [N]    these bytes as a datagram to the hand, with N descriptors of a file
 *   LONG N          N bytes to the hand
 *   FLOOD HEX       the same again and again, until it takes no more
 *   ANSWER -        the hand's next datagram, told as "HAND descriptors bytes"; "HAND gone" at its end
 * After the last line (a shutdown) BYE is sent, and the connection is closed when the warden has closed its end. */
#include <poll.h>
#include <sys/mman.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/message.h"
#include "os/spawn.h"
#include "priv/helpers.h"

static union { union ask ask; uint8_t room[sizeof(union ask) + 1]; } out;
static union say in;

static const size_t sizes[] = {
#define X(name, st, stages, once, fds) sizeof(struct st),
    ASK_TABLE(X)
#undef X
};

static void who(struct ask_who *w, const char *user)
{
    FIELD_SET(w, user, bytes_str(user));
    FIELD_SET(w, service, BYTES_LIT("ssh-connection"));
}

/* What an honest face might send, as far as one can without a peer. */
static void fill(uint32_t type)
{
    union ask *a = &out.ask;
    memset(&out, 0, sizeof out);
    a->type = type;
    switch (type) {
    case ASK_IDENT: FIELD_SET(&a->IDENT, text, BYTES_LIT("SSH-2.0-hostile")); break;
    case ASK_SIGN:
        a->SIGN.hash_n = 32;
        FIELD_SET(&a->SIGN, alg, BYTES_LIT("ssh-ed25519"));
        break;
    case ASK_AUTH_OTHER:
        who(&a->AUTH_OTHER.who, "nobody-at-all");
        FIELD_SET(&a->AUTH_OTHER, method, BYTES_LIT("none"));
        break;
    case ASK_AUTH_SECRET:
        who(&a->AUTH_SECRET.who, "nobody-at-all");
        FIELD_SET(&a->AUTH_SECRET, secret, BYTES_LIT("guess"));
        break;
    case ASK_AUTH_KEY: case ASK_AUTH_KEY_BIG:
        who(&a->AUTH_KEY.head.who, "nobody-at-all");
        a->AUTH_KEY.head.key_n = 51, a->AUTH_KEY.head.sig_n = 83, a->AUTH_KEY.head.has_sig = 1;
        FIELD_SET(&a->AUTH_KEY.head, alg, BYTES_LIT("ssh-ed25519"));
        break;
    case ASK_PTY: FIELD_SET(&a->PTY, term, BYTES_LIT("xterm")); break;
    case ASK_ENV: FIELD_SET(&a->ENV, name, BYTES_LIT("LANG")); break;
    case ASK_START: case ASK_START_BIG:
        a->START.kind = ASK_EXEC;
        FIELD_SET(&a->START, command, BYTES_LIT("true"));
        break;
    case ASK_SIGNAL: FIELD_SET(&a->SIGNAL, name, BYTES_LIT("TERM")); break;
    case ASK_CONNECT:
        a->CONNECT.port = 9;
        FIELD_SET(&a->CONNECT, host, BYTES_LIT("127.0.0.1"));
        break;
    case ASK_LISTEN: case ASK_CANCEL: FIELD_SET(&a->LISTEN, host, BYTES_LIT("localhost")); break;
    case ASK_PROVE: FIELD_SET(&a->PROVE, alg, BYTES_LIT("ssh-ed25519")); break;
    case ASK_GROUP: a->GROUP.min = 2048, a->GROUP.want = 3072, a->GROUP.max = 8192; break;
    case ASK_LINE: a->LINE.level = 1; break;
    default: break;
    }
}

/* Every length beyond its field. */
static void fill_bounds(uint32_t type)
{
    union ask *a = &out.ask;
    switch (type) {
    case ASK_IDENT: a->IDENT.text_n = sizeof a->IDENT.text + 1; break;
    case ASK_SIGN: a->SIGN.hash_n = 65; break;
    case ASK_AUTH_OTHER: a->AUTH_OTHER.method_n = UINT32_MAX; break;
    case ASK_AUTH_SECRET: a->AUTH_SECRET.secret_n = sizeof a->AUTH_SECRET.secret + 1; break;
    case ASK_AUTH_KEY: a->AUTH_KEY.head.key_n = ASK_KEY_SMALL + 1; break;
    case ASK_AUTH_KEY_BIG: a->AUTH_KEY_BIG.head.sig_n = SIGNATURE_MAX + 1; break;
    case ASK_PTY: a->PTY.modes_n = TERM_MODES_MAX + 1; break;
    case ASK_ENV: a->ENV.value_n = UINT32_MAX; break;
    case ASK_START: a->START.command_n = ASK_COMMAND + 1; break;
    case ASK_START_BIG: a->START_BIG.command_n = ASK_COMMAND_BIG + 1; break;
    case ASK_SIGNAL: a->SIGNAL.name_n = 33; break;
    case ASK_CONNECT: a->CONNECT.host_n = 257; break;
    case ASK_LISTEN: case ASK_CANCEL: a->LISTEN.host_n = 0x80000000U; break;
    case ASK_PROVE: a->PROVE.alg_n = ASK_NAME_MAX + 1; break;
    case ASK_LINE: a->LINE.text_n = 257; break;
    case ASK_BYE: a->BYE.text_n = 1025; break;
    default: break;
    }
}

static uint32_t type_of(const char *name)
{
    for (uint32_t t = 0; t < ASK_COUNT; t++)
        if (strcmp(ask_name(t), name) == 0) return t;
    _exit(3);
}

/* ---- the file hand ---- */

static int hand = -1;

static size_t unhex(const char *hex, uint8_t *to, size_t cap)
{
    unsigned byte;
    size_t n = 0;
    while (n < cap && sscanf(hex + 2 * n, "%2x", &byte) == 1) to[n++] = (uint8_t)byte;
    return n;
}

static void hand_send(const char *hex, unsigned fd_count, bool flood)
{
    static uint8_t text[20000];
    int fds[MESSAGE_FDS_MAX];
    size_t n = unhex(hex, text, sizeof text);
    for (unsigned i = 0; i < fd_count; i++) fds[i] = memfd_create("hostile", MFD_CLOEXEC);
    while (message_send(hand, text, n, fds, fd_count, !flood) == ERR_NONE && flood) continue;
    for (unsigned i = 0; i < fd_count; i++) close(fds[i]);
}

static void hand_hear(int sock)
{
    static uint8_t text[65536];
    struct message m;
    FILE *to = fdopen(dup(sock), "w");
    if (!to) _exit(5);
    if (message_recv(hand, text, sizeof text, true, &m) == ERR_NONE) {
        fprintf(to, "HAND %zu ", m.fd_count);
        for (size_t i = 0; i < m.n; i++) fprintf(to, "%02x", text[i]);
        fputc('\n', to);
        message_close_fds(&m);
    } else {
        fputs("HAND gone\n", to);
    }
    fclose(to);
}

static bool hand_line(int sock, const char *first, const char *how, const char *more)
{
    static uint8_t zeros[1 << 17];
    if (strcmp(first, "HAND") == 0) hand_send(how, more ? (unsigned)atoi(more) : 0, false);
    else if (strcmp(first, "FLOOD") == 0) hand_send(how, 0, true);
    else if (strcmp(first, "LONG") == 0) (void)!message_send(hand, zeros, (size_t)atoi(how), NULL, 0, true);
    else if (strcmp(first, "ANSWER") == 0) hand_hear(sock);
    else return false;
    return true;
}

/* ---- the warden ---- */

static void send_message(int chan, size_t n, bool fd)
{
    int self = -1;
    if (fd && pidfd_of(getpid(), &self) != ERR_NONE) _exit(4);
    (void)!message_send(chan, &out, n, &self, fd, true);
    if (self >= 0) close(self);
}

static void line_take(int chan, int sock, char *line)
{
    char *first = strtok(line, " \n"), *how = strtok(NULL, " \n"), *more = strtok(NULL, "\n");
    if (!first || !how || hand_line(sock, first, how, more)) return;
    if (strcmp(first, "LOGIN") == 0) {
        fill(ASK_AUTH_SECRET);
        who(&out.ask.AUTH_SECRET.who, how);
        FIELD_SET(&out.ask.AUTH_SECRET, secret, bytes_str(more));
        send_message(chan, sizes[ASK_AUTH_SECRET], false);
        return;
    }
    if (strcmp(first, "RUN") == 0) {
        char command[256];
        snprintf(command, sizeof command, "%s %s", how, more ? more : "");
        fill(ASK_START);
        FIELD_SET(&out.ask.START, command, bytes_str(command));
        send_message(chan, sizes[ASK_START], false);
        return;
    }
    if (strcmp(first, "SFTP") == 0) {
        fill(ASK_START);
        out.ask.START.kind = ASK_SUBSYSTEM;
        FIELD_SET(&out.ask.START, command, bytes_str(how));
        send_message(chan, sizes[ASK_START], false);
        return;
    }
    uint32_t type = type_of(first);
    bool fd = type == ASK_HELLO;
    size_t n = sizes[type];
    fill(type);
    if (strcmp(how, "short") == 0) n--;
    if (strcmp(how, "long") == 0) n++;
    if (strcmp(how, "fd") == 0) fd = !fd;
    if (strcmp(how, "bounds") == 0) fill_bounds(type);
    send_message(chan, n, fd);
}

/* Wait for the warden's word, as an honest face would; false when it is gone. */
static bool hear(int chan, int sock)
{
    int fds[3];
    char note[64];
    if (say_recv(chan, &in, true, fds) != ERR_NONE) return false;
    bool files = in.type == SAY_STARTED && in.STARTED.files;
    if (files) hand = fds[0];
    for (size_t i = 0; i < 3; i++)
        if (fds[i] >= 0 && fds[i] != hand) close(fds[i]);
    uint32_t number = in.type == SAY_AUTH ? in.AUTH.result : in.type == SAY_SIGNED ? in.SIGNED.ok : in.type == SAY_EXIT ? in.EXIT.status : files;
    int n = snprintf(note, sizeof note, "%s %u\n", say_name(in.type), number);
    return write(sock, note, (size_t)n) == n;
}

static void face(int chan, int sock)
{
    static char line[50000];
    FILE *script = fdopen(dup(sock), "r");
    while (script && fgets(line, sizeof line, script)) {
        if (strncmp(line, "HEAR", 4) == 0) {
            if (!hear(chan, sock)) break;
        } else {
            line_take(chan, sock, line);
        }
    }
    fill(ASK_BYE);
    send_message(chan, sizes[ASK_BYE], false);
    while (hear(chan, sock));
    _exit(0);
}

int main(void)
{
    struct nursery_message m = {.type = NURSERY_READY, .text = "no jail at all: this is a test"};
    struct message got;
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (message_send(NET_FD_CONTROL, &m, sizeof m, NULL, 0, true) != ERR_NONE) return 1;
    while (message_recv(NET_FD_CONTROL, &m, sizeof m, true, &got) == ERR_NONE) {
        if (m.type == NURSERY_FORK && got.fd_count == 2 && fork() == 0) {
            close(NET_FD_CONTROL), close(NET_FD_VERIFY);
            face(got.fd[0], got.fd[1]);
        }
        message_close_fds(&got);
    }
    return 0;
}
