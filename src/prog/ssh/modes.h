/* SPDX-License-Identifier: ISC */
/* Terminal settings as they travel in pty-req (RFC 4254 8, RFC 8160). */
#ifndef SSH_MODES_H
#define SSH_MODES_H

#include <termios.h>

#include "base/wr.h"

void modes_write(struct wr *w, const struct termios *t);

#endif
