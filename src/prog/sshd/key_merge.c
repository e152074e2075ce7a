/* SPDX-License-Identifier: ISC */
/* Restrictions of several proven keys hold together: what one forbids is forbidden (TRUST 10). */
#include <stdio.h>

#include "sshd/warden.h"

/* Both lists bind; an entry stays when the other list has it too. An empty outcome means "nothing", which the fixed form can only
 * say by forbidding forwarding as a whole. */
static bool permits_merge(struct key_permit *into, uint32_t *n, const struct key_permit *more, uint32_t more_n)
{
    uint32_t kept = 0;
    if (more_n == 0) return true;
    if (*n == 0) {
        memcpy(into, more, more_n * sizeof *into);
        *n = more_n;
        return true;
    }
    for (uint32_t i = 0; i < *n; i++)
        for (uint32_t k = 0; k < more_n; k++)
            if (into[i].port == more[k].port && strcmp(into[i].host, more[k].host) == 0) {
                into[kept++] = into[i];
                break;
            }
    *n = kept;
    return kept > 0;
}

enum err key_options_merge(struct key_options *into, const struct key_options *more)
{
    if (into->has_command && more->has_command && strcmp(into->command, more->command) != 0) return ERR_DENIED;
    into->permit_port_forwarding &= more->permit_port_forwarding;
    into->permit_agent_forwarding &= more->permit_agent_forwarding;
    into->permit_x11_forwarding &= more->permit_x11_forwarding;
    into->permit_pty &= more->permit_pty;
    into->permit_user_rc &= more->permit_user_rc;
    into->no_touch_required &= more->no_touch_required;
    into->verify_required |= more->verify_required;
    into->restricted |= more->restricted;
    if (!into->has_command && more->has_command) {
        into->has_command = 1;
        memcpy(into->command, more->command, sizeof into->command);
    }
    if (into->tunnel != more->tunnel) into->tunnel = KEY_TUNNEL_NONE;
    if (!permits_merge(into->permit_open, &into->permit_open_n, more->permit_open, more->permit_open_n)) into->permit_port_forwarding = 0;
    if (!permits_merge(into->permit_listen, &into->permit_listen_n, more->permit_listen, more->permit_listen_n)) into->permit_port_forwarding = 0;
    return ERR_NONE;        /* environment: the first key's stands, as OpenSSH has it */
}
