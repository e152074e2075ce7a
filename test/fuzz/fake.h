/* SPDX-License-Identifier: ISC */
/* What stands for the operating system in the targets that are whole files of programs: messages come from the input, children are none. The
 * build renames the calls (meson.build here). */
#ifndef FUZZ_FAKE_H
#define FUZZ_FAKE_H

#include <setjmp.h>
#include <sys/types.h>

#include "base/rd.h"
#include "base/wr.h"
#include "os/message.h"
#include "os/spawn.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

/* Strings, each a message that is received next; at their end the other side is gone. */
extern struct rd fake_messages;
/* What a child writes to its descriptor 1 before it ends, well. */
extern struct bytes fake_output;
/* Where fake_exit() goes. */
extern jmp_buf fake_end;

enum err fake_message_pair(int out[2]);
enum err fake_message_send(int sock, const void *p, size_t n, const int *fds, size_t fd_count, bool wait);
enum err fake_message_recv(int sock, void *buf, size_t cap, bool wait, struct message *out);
enum err fake_message_wait(int sock, uint64_t deadline_us);
enum err fake_spawn_exec(const struct spawn *s, pid_t *out);
enum err fake_companion_open(const char *name, const char *libexec_dir, int *out);
enum err fake_pidfd_of(pid_t pid, int *out);
enum err fake_pidfd_kill(int pidfd, int sig);
enum err fake_child_wait(pid_t pid, int *status);
NORETURN void fake_exit(int status);

#endif
