/* SPDX-License-Identifier: ISC */
/* Which authenticator: several may be plugged in. */
#include <stdlib.h>
#include <time.h>

#include "fido.h"
#include "os/clock.h"

#define DEVICES_MAX   8
#define TOUCH_POLL_MS 50
#define TOUCH_WAIT_US 15000000ULL

struct set {
    fido_dev_t *dev[DEVICES_MAX];
    size_t n;
};

int fido_said(const char *call, int code)
{
    if (code != FIDO_OK) because("%s: %s", call, fido_strerr(code));
    return code;
}

void fido_done(fido_dev_t **dev)
{
    if (!*dev) return;
    fido_dev_cancel(*dev);
    fido_dev_close(*dev);
    fido_dev_free(dev);
}

static fido_dev_t *open_path(const char *path)
{
    fido_dev_t *dev = fido_dev_new();
    if (dev && fido_said("fido_dev_open", fido_dev_open(dev, path)) == FIDO_OK) return dev;
    fido_dev_free(&dev);
    return NULL;
}

/* All that can be opened. */
static void open_all(struct set *out)
{
    size_t found = 0;
    fido_dev_info_t *list = fido_dev_info_new(DEVICES_MAX);
    *out = (struct set){0};
    if (list && fido_said("fido_dev_info_manifest", fido_dev_info_manifest(list, DEVICES_MAX, &found)) != FIDO_OK) found = 0;
    for (size_t i = 0; i < found; i++) {
        fido_dev_t *dev = open_path(fido_dev_info_path(fido_dev_info_ptr(list, i)));
        if (dev) out->dev[out->n++] = dev;
    }
    fido_dev_info_free(&list, DEVICES_MAX);
    log_line(LOG_LEVEL_DEBUG1, "%zu authenticators found, %zu open", found, out->n);
}

/* Takes one out and closes the others. */
static fido_dev_t *take(struct set *s, size_t which)
{
    fido_dev_t *dev = which < s->n ? s->dev[which] : NULL;
    for (size_t i = 0; i < s->n; i++)
        if (i != which) fido_done(&s->dev[i]);
    s->n = 0;
    return dev;
}

int fido_option(fido_dev_t *dev, const char *name)
{
    int value = -1;
    fido_cbor_info_t *info = fido_dev_is_fido2(dev) ? fido_cbor_info_new() : NULL;
    if (info && fido_dev_get_cbor_info(dev, info) == FIDO_OK) {
        char **names = fido_cbor_info_options_name_ptr(info);
        const bool *values = fido_cbor_info_options_value_ptr(info);
        for (size_t i = 0; i < fido_cbor_info_options_len(info); i++)
            if (strcmp(names[i], name) == 0) value = values[i];
    }
    fido_cbor_info_free(&info);
    return value;
}

/* Has it this key? Asked with a message that is no signature's, and without a touch. */
static bool has_credential(fido_dev_t *dev, const struct credential *wanted)
{
    static const unsigned char nothing[32];
    fido_assert_t *a = fido_assert_new();
    int code = FIDO_ERR_INTERNAL;
    if (a && fido_assert_set_clientdata(a, nothing, sizeof nothing) == FIDO_OK && fido_assert_set_rp(a, wanted->application) == FIDO_OK &&
        fido_assert_allow_cred(a, wanted->handle.p, wanted->handle.n) == FIDO_OK && fido_assert_set_up(a, FIDO_OPT_FALSE) == FIDO_OK)
        code = fido_dev_get_assert(dev, a, NULL);
    fido_assert_free(&a);
    return code == FIDO_OK || code == FIDO_ERR_USER_PRESENCE_REQUIRED;      /* U2F ones say the latter */
}

static size_t by_credential(const struct set *s, const struct credential *wanted)
{
    /* one that verifies its user by itself may deny even that without a finger; if it is the only one, it is the one */
    if (s->n == 1 && fido_option(s->dev[0], "uv") != -1) return 0;
    for (size_t i = 0; i < s->n; i++)
        if (has_credential(s->dev[i], wanted)) return i;
    return s->n;
}

static size_t by_touch(struct set *s)
{
    uint64_t end = clock_us() + TOUCH_WAIT_US;
    size_t alive = 0;
    for (size_t i = 0; i < s->n; i++) alive += fido_said("fido_dev_get_touch_begin", fido_dev_get_touch_begin(s->dev[i])) == FIDO_OK;
    while (alive > 0 && clock_us() < end) {
        alive = 0;
        for (size_t i = 0; i < s->n; i++) {
            int touched = 0;
            if (fido_dev_get_touch_status(s->dev[i], &touched, TOUCH_POLL_MS) != FIDO_OK) continue;
            alive++;
            if (touched) return i;
        }
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    return s->n;
}

fido_dev_t *fido_device_open(const char *device, const struct credential *wanted)
{
    struct set s;
    fido_init(0);
    if (device) return open_path(device);
    open_all(&s);
    if (s.n == 0) return NULL;
    if (wanted->handle.n > 0) return take(&s, by_credential(&s, wanted));
    return take(&s, s.n == 1 ? 0 : by_touch(&s));
}
