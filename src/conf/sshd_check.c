/* SPDX-License-Identifier: ISC */
/* Values that are right one by one but not together. */
#include "conf/sshd.h"
#include "option.h"

static bool method_enabled(const struct sshd_conf *c, struct bytes name)
{
    const struct {
        const char *name;
        bool on;
    } methods[] = {
        {"publickey", c->pubkey_authentication}, {"password", c->password_authentication},
        {"keyboard-interactive", c->kbd_interactive_authentication}, {"hostbased", c->hostbased_authentication},
        {"gssapi-with-mic", c->gssapi_authentication},
    };
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (bytes_is(name, methods[i].name)) return methods[i].on;
    return false;
}

static bool list_possible(const struct sshd_conf *c, const struct conf_world *w, const char *list)
{
    struct bytes one;
    for (size_t pos = 0; names_next(bytes_str(list), &pos, &one);) {
        const uint8_t *colon = memchr(one.p, ':', one.n);
        if (colon) one.n = (size_t)(colon - one.p);
        if (method_enabled(c, one)) continue;
        conf_tell(w, CONF_SAY_ERROR, "Disabled method \"%.*s\" in AuthenticationMethods list \"%s\"", (int)one.n, (const char *)one.p, list);
        return false;
    }
    return true;
}

enum err sshd_conf_check(const struct sshd_conf *c, const struct conf_world *w)
{
    const struct conf_texts *lists = &c->authentication_methods;
    size_t possible = 0;
    for (size_t i = 0; i < lists->n; i++) possible += list_possible(c, w, lists->v[i]);
    if (lists->n && !possible) {
        conf_tell(w, CONF_SAY_ERROR, "AuthenticationMethods cannot be satisfied by enabled authentication methods");
        return ERR_USAGE;
    }
    if (c->authorized_keys_command && !c->authorized_keys_command_user) {
        conf_tell(w, CONF_SAY_ERROR, "AuthorizedKeysCommand set without AuthorizedKeysCommandUser");
        return ERR_USAGE;
    }
    if (c->authorized_principals_command && !c->authorized_principals_command_user) {
        conf_tell(w, CONF_SAY_ERROR, "AuthorizedPrincipalsCommand set without AuthorizedPrincipalsCommandUser");
        return ERR_USAGE;
    }
    return ERR_NONE;
}
