/* SPDX-License-Identifier: ISC */
/* Asking a person: on the terminal without echo, or through SSH_ASKPASS, by OpenSSH's rules (ssh(1), ENVIRONMENT):
 * SSH_ASKPASS_REQUIRE=never: the terminal only; prefer: askpass when DISPLAY or WAYLAND_DISPLAY is set; force: askpass always;
 * unset: the terminal if there is one, else askpass if a display is set. SSH_ASKPASS names the program. */
#ifndef OS_PROMPT_H
#define OS_PROMPT_H

#include <sys/types.h>

#include "base/secret.h"

#define PROMPT_ANSWER_MAX 1024          /* longer input is cut there, as OpenSSH does */

enum prompt_hint {
    PROMPT_HINT_NONE,                   /* askpass asks for a text */
    PROMPT_HINT_CONFIRM,                /* SSH_ASKPASS_PROMPT=confirm: askpass asks yes or no; its status counts as well */
    PROMPT_HINT_NOTIFY                  /* SSH_ASKPASS_PROMPT=none: askpass only shows the text */
};

struct prompt {
    const char *text;                   /* shown as it is: the caller has escaped what came from a peer */
    bool echo;
    bool stdin_too;                     /* without a terminal, read a line from standard input (ssh-keygen) */
    bool askpass_only;                  /* never the terminal (a background process) */
    enum prompt_hint hint;
};

/* The answer without its newline, possibly empty; end of file counts as an empty answer, as in OpenSSH. ERR_NOT_FOUND: nobody can
 * be asked. ERR_DENIED: an interrupt, or askpass ended with another status than 0. The terminal's state is restored, also on
 * SIGINT and the like, which are delivered afterwards. */
MUST_USE enum err prompt_ask(const struct prompt *p, struct secret *out);

/* The common case: terminal first, askpass as the rules say, no hint. */
MUST_USE enum err prompt_secret(const char *text, bool echo, struct secret *out);

/* A yes/no question by askpass with the confirm hint, or on the terminal: yes (letter case aside) as the whole answer, or, with
 * askpass, status 0 and an empty answer or "yes". Everything else is no. */
bool prompt_confirm(const char *text);

/* Shows a text until notice_stop(), by askpass with the notify hint: for who has no terminal to read it on. Returns who shows it; 0: nobody can, by the
 * rules above. */
pid_t notice_start(const char *text);
void notice_stop(pid_t *who);           /* 0 again afterwards */

#endif
