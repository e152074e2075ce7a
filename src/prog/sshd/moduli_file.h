/* SPDX-License-Identifier: ISC */
#ifndef SSHD_MODULI_FILE_H
#define SSHD_MODULI_FILE_H

#include "priv/face.h"

/* A group of the size that was asked for (RFC 4419 3), one of those at random, into say->p and say->g. False: the file has none. */
bool moduli_choose(struct bytes text, const struct ask_group *ask, struct say_group *say);

#endif
