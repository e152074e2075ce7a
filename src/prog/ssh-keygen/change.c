/* SPDX-License-Identifier: ISC */
/* Changing a private key file's passphrase (-p) or comment (-c). */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "keygen.h"

/* A file of PuTTY's or Dropbear's stays one unless -m says otherwise; PEM becomes OpenSSH's own format, as OpenSSH does. */
static void format_keep(struct options *o, const struct identity *id)
{
    if (o->format_name || (id->format != PRIVKEY_PPK && id->format != PRIVKEY_DROPBEAR)) return;
    o->format = id->format;
    o->format_name = id->format == PRIVKEY_PPK ? "PPK" : "Dropbear";
}

int job_change_passphrase(struct options *o)
{
    struct identity id CLEANUP(identity_drop) = {0};
    struct secret fresh CLEANUP(secret_clear) = {0};
    need_file(o, "Enter file in which the key is");
    need_existing(o);
    enum err e = identity_load(o, o->passphrase, "Enter old passphrase: ", &id);
    if (e != ERR_NONE) fatal("Failed to load key %s: %s", o->file, reason(e));
    if (id.format == PRIVKEY_OPENSSH || id.format == PRIVKEY_PPK) {
        printf("Key has comment '");
        text_print(wr_bytes(&id.comment));
        printf("'\n");
    }
    token_options_change(o, id.key);
    if (!o->new_passphrase)
        passphrase_new("Enter new passphrase (empty for no passphrase): ", "Pass phrases do not match.  Try again.", false,
                       &fresh);
    else if (secret_copy(&fresh, bytes_str(o->new_passphrase)) != ERR_NONE)
        fatal("memory allocation failed");
    format_keep(o, &id);
    need_format(o, pubkey_type(privkey_public(id.key)), secret_bytes(&fresh));
    e = private_save(o, id.key, secret_bytes(&fresh), wr_bytes(&id.comment), o->file);
    if (e != ERR_NONE) {
        say("Saving key \"%s\" failed: %s", o->file, reason(e));
        return 1;
    }
    printf("Your identification has been saved with the new passphrase.\n");
    return 0;
}

/* The new comment: -C, or typed. */
static void comment_ask(const struct options *o, char out[KEY_COMMENT_MAX])
{
    if (o->comment) {
        snprintf(out, KEY_COMMENT_MAX, "%s", o->comment);
        return;
    }
    printf("New comment: ");
    if (!read_answer(out, KEY_COMMENT_MAX)) exit(1);
}

int job_change_comment(struct options *o)
{
    struct identity id CLEANUP(identity_drop) = {0};
    char comment[KEY_COMMENT_MAX], public_path[PATH_MAX + 4];
    need_file(o, "Enter file in which the key is");
    need_existing(o);
    enum err e = identity_load(o, o->passphrase ? o->passphrase : o->new_passphrase, "Enter passphrase: ", &id);
    if (e != ERR_NONE) fatal("Cannot load private key \"%s\": %s", o->file, reason(e));
    format_keep(o, &id);
    if (o->format && o->format != PRIVKEY_PPK && strcmp(pubkey_type(privkey_public(id.key)), "ssh-ed25519") != 0) {
        say("Comments are only supported for keys stored in the new format (-o).");
        return 1;
    }
    bool has_comment = id.format == PRIVKEY_OPENSSH || id.format == PRIVKEY_PPK;
    printf(has_comment ? "Old comment: " : "No existing comment");
    text_print(wr_bytes(&id.comment));
    printf("\n");
    comment_ask(o, comment);
    if (has_comment && bytes_is(wr_bytes(&id.comment), comment)) {
        printf("No change to comment\n");
        return 0;
    }
    e = private_save(o, id.key, secret_bytes(&id.passphrase), bytes_str(comment), o->file);
    if (e != ERR_NONE) {
        say("Saving key \"%s\" failed: %s", o->file, reason(e));
        return 1;
    }
    snprintf(public_path, sizeof public_path, "%s.pub", o->file);
    e = public_save(privkey_public(id.key), bytes_str(comment), public_path);
    if (e != ERR_NONE) fatal("Unable to save public key to %s: %s", public_path, reason(e));
    if (comment[0]) printf("Comment '%s' applied\n", comment);
    else printf("Comment removed\n");
    return 0;
}
