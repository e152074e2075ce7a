/* SPDX-License-Identifier: ISC */
/* Tokens: logging in, listing, signing. */
#include <stdio.h>

#include "helper.h"
#include "os/helper.h"
#include "os/message.h"

#define BATCH 32                /* objects asked for at once */

/* ---- sessions ---- */

static enum err session_open(struct tokens *t, struct slot *s)
{
    ck_rv_t rv = t->f->C_OpenSession(s->id, CKF_RW_SESSION | CKF_SERIAL_SESSION, NULL, NULL, &s->session);
    if (rv == CKR_TOKEN_WRITE_PROTECTED) rv = t->f->C_OpenSession(s->id, CKF_SERIAL_SESSION, NULL, NULL, &s->session);
    s->logged_in = false;
    if (rv == CKR_OK) return ERR_NONE;
    because("C_OpenSession on token \"%s\" failed: %s", s->label, rv_name(rv));
    return ERR_UNSUPPORTED;
}

static enum err login_outcome(struct slot *s, ck_rv_t rv)
{
    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN) return ERR_NONE;
    because("login to token \"%s\" failed: %s", s->label, rv_name(rv));
    return rv == CKR_PIN_LOCKED                                                                         ? ERR_DENIED
           : rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LEN_RANGE || rv == CKR_PIN_INVALID || rv == CKR_PIN_EXPIRED ? ERR_PASSPHRASE
                                                                                                        : ERR_UNSUPPORTED;
}

static enum err login(struct tokens *t, struct slot *s, ck_user_type_t who, const unsigned char *pin, size_t n)
{
    unsigned char copy[P11_PIN_MAX];
    if (n > sizeof copy) return ERR_TOO_LONG;
    if (n > 0) memcpy(copy, pin, n);
    ck_rv_t rv = t->f->C_Login(s->session, who, s->pin_pad ? NULL : copy, s->pin_pad ? 0 : n);
    wipe(copy, sizeof copy);
    TRY(login_outcome(s, rv));
    if (who == CKU_USER) s->logged_in = true;
    return ERR_NONE;
}

/* Ask for the PIN and log in, a few times over. */
static enum err login_asking(struct tokens *t, struct slot *s, ck_user_type_t who)
{
    unsigned char pin[P11_PIN_MAX];
    if (s->pin_pad) return login(t, s, who, NULL, 0);
    if (!t->may_ask) {
        because("token \"%s\" wants a PIN, and nobody can be asked", s->label);
        return ERR_PASSPHRASE;
    }
    for (int i = 0;; i++) {
        size_t n = 0;
        TRY(pin_ask(s->label, who == CKU_CONTEXT_SPECIFIC, pin, &n));
        enum err e = login(t, s, who, pin, n);
        wipe(pin, sizeof pin);
        if (e != ERR_PASSPHRASE || i + 1 == P11_ASKS_MAX) return e;
    }
}

/* ---- listing ---- */

static enum err key_add(struct tokens *t, size_t slot, const struct found *found)
{
    static uint8_t room[BLOB_MAX + P11_LABEL_MAX + 64];
    if (t->keys == P11_KEYS_MAX) return ERR_BUDGET;
    struct key *k = &t->key[t->keys];
    k->slot = slot, k->kind = found->kind, k->id_n = found->id_n;
    memcpy(k->id, found->id, found->id_n);
    struct wr w = wr_span((struct span){room, sizeof room});
    wr_u8(&w, P11_KEY);
    wr_u32(&w, (uint32_t)t->keys);
    wr_string(&w, wr_bytes(&found->blob));
    wr_string(&w, bytes_of(found->label, found->label_n));
    TRY(wr_done(&w));
    TRY(message_send(HELPER_FD, w.p, w.n, NULL, 0, true));
    t->keys++;
    return ERR_NONE;
}

/* The search must end before objects are read: some tokens know one operation at a time. */
static size_t find(struct tokens *t, ck_session_handle_t s, struct ck_attribute *want, size_t n, ck_object_handle_t *out, size_t cap)
{
    size_t count = 0;
    unsigned long got = 1;
    if (t->f->C_FindObjectsInit(s, want, n) != CKR_OK) return 0;
    while (count < cap && got > 0) {
        size_t most = cap - count < BATCH ? cap - count : BATCH;
        if (t->f->C_FindObjects(s, out + count, most, &got) != CKR_OK || got > most) break;
        count += got;
    }
    (void)t->f->C_FindObjectsFinal(s);
    return count;
}

static enum err list_class(struct tokens *t, size_t slot, ck_object_class_t class)
{
    static ck_object_handle_t handles[P11_KEYS_MAX];
    ck_session_handle_t s = t->slot[slot].session;
    struct ck_attribute want = {.type = CKA_CLASS, .value = &class, .value_len = sizeof class};
    size_t n = find(t, s, &want, 1, handles, COUNT_OF(handles));
    for (size_t i = 0; i < n; i++) {
        struct found found;
        enum err e = object_read(t->f, s, handles[i], class == CKO_CERTIFICATE, &found);
        if (e) log_line(LOG_LEVEL_DEBUG2, "an object of token \"%s\" is left out: %s", t->slot[slot].label, err_text(e));
        else e = key_add(t, slot, &found);
        wr_clear(&found.blob);
        if (e == ERR_PEER_GONE || e == ERR_BUDGET || e == ERR_NOMEM) return e;
    }
    return ERR_NONE;
}

static enum err list(struct tokens *t, size_t slot)
{
    TRY(list_class(t, slot, CKO_PUBLIC_KEY));
    return list_class(t, slot, CKO_CERTIFICATE);
}

static enum err slot_load(struct tokens *t, size_t i, struct bytes pin)
{
    struct slot *s = &t->slot[i];
    size_t before = t->keys;
    if (s->login_required && !s->pin_pad && !t->may_ask && pin.n == 0) {
        because("token \"%s\" wants a PIN", s->label);
        return ERR_PASSPHRASE;
    }
    TRY(session_open(t, s));
    if (s->login_required && pin.n > 0) TRY(login(t, s, CKU_USER, pin.p, pin.n));
    TRY(list(t, i));
    if (t->keys > before || s->logged_in || !s->login_required || !(t->may_ask || s->pin_pad)) return ERR_NONE;
    log_line(LOG_LEVEL_DEBUG1, "token \"%s\" shows no key: perhaps after a login", s->label);
    TRY(login_asking(t, s, CKU_USER));
    return list(t, i);
}

static bool slot_describe(struct tokens *t, struct slot *s)
{
    struct ck_token_info info;
    size_t n = sizeof info.label;
    ck_rv_t rv = t->f->C_GetTokenInfo(s->id, &info);
    if (rv != CKR_OK || !(info.flags & CKF_TOKEN_INITIALIZED)) {
        log_line(LOG_LEVEL_DEBUG2, "slot %lu is left out: %s", s->id, rv == CKR_OK ? "its token is not initialized" : rv_name(rv));
        return false;
    }
    while (n > 0 && (info.label[n - 1] == ' ' || info.label[n - 1] == 0)) n--;
    if (bytes_to_str(bytes_of(info.label, n), s->label, sizeof s->label) != ERR_NONE) snprintf(s->label, sizeof s->label, "slot %lu", s->id);
    s->login_required = info.flags & CKF_LOGIN_REQUIRED;
    s->pin_pad = info.flags & CKF_PROTECTED_AUTHENTICATION_PATH;
    log_line(LOG_LEVEL_DEBUG1, "slot %lu: token \"%s\"%s%s", s->id, s->label, s->login_required ? ", wants a login" : "",
             s->pin_pad ? ", PIN entry on the reader" : "");
    return true;
}

/* One token that fails does not keep the others from being used; if there is no key at all, its failure is the answer. */
enum err tokens_load(struct tokens *t, struct bytes pin, bool may_ask)
{
    ck_slot_id_t ids[SLOTS_MAX];
    unsigned long n = SLOTS_MAX;
    enum err failure = ERR_NONE;
    ck_rv_t rv = t->f->C_GetSlotList(1, ids, &n);
    if (rv != CKR_OK || n > SLOTS_MAX) {
        because("C_GetSlotList failed: %s", rv == CKR_OK ? "too many slots" : rv_name(rv));
        return ERR_UNSUPPORTED;
    }
    t->may_ask = may_ask;
    for (size_t i = 0; i < n; i++) {
        t->slot[t->slots] = (struct slot){.id = ids[i]};
        if (!slot_describe(t, &t->slot[t->slots])) continue;
        enum err e = slot_load(t, t->slots++, pin);
        if (e == ERR_PEER_GONE || e == ERR_BUDGET || e == ERR_NOMEM) return e;
        if (e) failure = e;
    }
    return t->keys > 0 ? ERR_NONE : failure;
}

/* ---- signing ---- */

static bool private_find(struct tokens *t, const struct key *k, ck_object_handle_t *out)
{
    ck_object_class_t class = CKO_PRIVATE_KEY;
    unsigned char yes = 1, id[KEY_ID_MAX];
    memcpy(id, k->id, k->id_n);
    struct ck_attribute want[] = {{CKA_CLASS, &class, sizeof class}, {CKA_ID, id, k->id_n}, {CKA_SIGN, &yes, sizeof yes}};
    /* Some tokens leave CKA_SIGN out. */
    return find(t, t->slot[k->slot].session, want, 3, out, 1) == 1 || find(t, t->slot[k->slot].session, want, 2, out, 1) == 1;
}

static bool wants_pin_each_time(struct tokens *t, ck_session_handle_t s, ck_object_handle_t o)
{
    unsigned char yes = 0;
    struct ck_attribute a = {CKA_ALWAYS_AUTHENTICATE, &yes, sizeof yes};
    return t->f->C_GetAttributeValue(s, o, &a, 1) == CKR_OK && a.value_len == sizeof yes && yes;
}

static enum err sign_once(struct tokens *t, const struct key *k, struct bytes input, uint8_t *raw, unsigned long *n, ck_rv_t *rv)
{
    static const ck_mechanism_type_t mechanisms[] = {[KEY_RSA] = CKM_RSA_PKCS, [KEY_EC] = CKM_ECDSA, [KEY_ED25519] = CKM_EDDSA};
    struct slot *s = &t->slot[k->slot];
    struct ck_mechanism how = {.mechanism = mechanisms[k->kind]};
    ck_object_handle_t key;
    if (s->login_required && !s->logged_in) TRY(login_asking(t, s, CKU_USER));
    if (!private_find(t, k, &key)) {
        *rv = CKR_KEY_HANDLE_INVALID;
        because("token \"%s\" has no private key for this public key", s->label);
        return ERR_UNSUPPORTED;
    }
    *rv = t->f->C_SignInit(s->session, &how, key);
    if (*rv == CKR_OK && wants_pin_each_time(t, s->session, key)) TRY(login_asking(t, s, CKU_CONTEXT_SPECIFIC));
    if (*rv == CKR_OK) *rv = t->f->C_Sign(s->session, (unsigned char *)(uintptr_t)input.p, input.n, raw, n);
    if (*rv == CKR_OK) return ERR_NONE;
    because("signing by token \"%s\" failed: %s", s->label, rv_name(*rv));
    return ERR_UNSUPPORTED;
}

/* A card that was taken out and put back has forgotten session and login: once more, from the beginning. */
enum err tokens_sign(struct tokens *t, uint32_t key, struct bytes input, struct wr *out)
{
    uint8_t raw[RAW_SIG_MAX];
    unsigned long n = sizeof raw;
    ck_rv_t rv = CKR_OK;
    if (key >= t->keys) return ERR_NOT_FOUND;
    const struct key *k = &t->key[key];
    enum err e = sign_once(t, k, input, raw, &n, &rv);
    if (e == ERR_UNSUPPORTED && rv != CKR_OK && rv != CKR_FUNCTION_CANCELED) {
        struct slot *s = &t->slot[k->slot];
        log_line(LOG_LEVEL_DEBUG1, "a new session with token \"%s\"", s->label);
        (void)t->f->C_CloseSession(s->session);
        TRY(session_open(t, s));
        n = sizeof raw;
        e = sign_once(t, k, input, raw, &n, &rv);
    }
    TRY(e);
    if (n > sizeof raw) return ERR_UNSUPPORTED;
    wr_raw(out, bytes_of(raw, n));
    return wr_done(out);
}
