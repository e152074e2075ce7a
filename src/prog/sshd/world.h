/* SPDX-License-Identifier: ISC */
/* The system as sshd_config's reader sees it. */
#ifndef SSHD_WORLD_H
#define SSHD_WORLD_H

#include "conf/world.h"

void world_init(struct conf_world *out);

#endif
