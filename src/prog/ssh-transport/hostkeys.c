/* SPDX-License-Identifier: ISC */
/* Further keys of the server (draft-miller-sshm-hostkey-update): what it says passes to the UI, which alone judges it. */
#include "transport.h"

#define PROOFS_WAIT_US 2000000      /* a server that never answers holds nobody up for longer */

enum err hostkeys_told(struct transport *t, const struct event *ev)
{
    struct cm_hostkeys h = {ev->global.body};
    if (t->hostkeys_told || !t->authenticated || h.keys.n > CM_TEXT_MAX) {
        report_line(t, 1, "hostkeys-00: %zu bytes are ignored", h.keys.n);
        return ERR_NONE;
    }
    t->hostkeys_told = t->proofs_due = true;
    return cm_send(t->ctl, CM_HOSTKEYS, &h, NULL, 0);
}

enum err hostkeys_prove(struct transport *t, const struct cm_message *m)
{
    const struct cm_prove *p = &m->u.prove;
    struct global_request g = {.type = GLOBAL_HOSTKEYS_PROVE, .want_reply = true, .body = p->keys};
    if (!t->proofs_due)
        return ERR_STATE;
    t->prove_waits = p->wait != 0;
    if (p->keys.n == 0 && !p->wait) {
        t->proofs_due = false;
        return ERR_NONE;
    }
    enum err e = p->keys.n ? conn_global(t->conn, &g, TAG_PROVE) : ERR_NONE;
    if (p->keys.n == 0 || e == ERR_AGAIN || e == ERR_TOO_LONG)      /* no room for it now: another time */
        return hostkeys_proved(t, p->keys.n == 0, (struct bytes){0});
    return e;
}

enum err hostkeys_proved(struct transport *t, bool ok, struct bytes sigs)
{
    struct cm_message m;
    bool fits = sigs.n <= CM_TEXT_MAX, wait = t->prove_waits;
    struct cm_proved p = {.ok = ok && fits, .sigs = fits ? sigs : (struct bytes){0}};
    t->prove_waits = t->proofs_due = false;
    TRY(cm_send(t->ctl, CM_PROVED, &p, NULL, 0));
    return wait ? ask_take(t, CM_RESUME, &m) : ERR_NONE;
}

bool hostkeys_pending(struct transport *t, uint64_t now_us)
{
    if (!t->proofs_due)
        return false;
    if (t->proofs_until_us == 0)
        t->proofs_until_us = now_us + PROOFS_WAIT_US;
    pump_alarm(t->pump, t->proofs_until_us);
    return now_us < t->proofs_until_us;
}
