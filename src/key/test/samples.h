/* SPDX-License-Identifier: ISC */
/* Key files that OpenSSH 9.2 made for these tests; they open nothing. */
#ifndef KEY_SAMPLES_H
#define KEY_SAMPLES_H

/* comment "plain ed25519" */
static const char sample_ed25519[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    "QyNTUxOQAAACCUeB3LTqlsdW4wtI4YZnBcDdnKy0Rba42JB/accp2ZRQAAAJDc2gO83NoD\n"
    "vAAAAAtzc2gtZWQyNTUxOQAAACCUeB3LTqlsdW4wtI4YZnBcDdnKy0Rba42JB/accp2ZRQ\n"
    "AAAEBQqMaL5qfhBqZT0joiBn7qmGOBIzpy5KWixR2OcEJ00JR4HctOqWx1bjC0jhhmcFwN\n"
    "2crLRFtrjYkH9pxynZlFAAAADXBsYWluIGVkMjU1MTk=\n"
    "-----END OPENSSH PRIVATE KEY-----\n";

/* passphrase "pass word", comment "p256 \303\244\303\266", aes256-ctr, 1 round */
static const char sample_ecdsa[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABAFjxanir\n"
    "qvfCNhep86PC2qAAAAAQAAAAEAAABoAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlz\n"
    "dHAyNTYAAABBBNIqFi9YF2F6z9RchtDLz/EXKVhnz8/bz4U1Lz84/hf4BrBC38jcI8rgbl\n"
    "lDVFOt2G/xWIXx1iyXI9heGzj4YFMAAACwH9n1mZkIHGz8qY4r5GVUbcGrFYJUM7z/PTF5\n"
    "6BmhkemlwZjOdUWtYiEibhObrjIroW0PZ2XtGqJxgEYwcJtTsVzJOiq5rBpovYSHr4j6cF\n"
    "sZsXGmLox+QJ1lPN1qs9Y5Eprp3RCirU4u+lRIJb5+xYy0jvq9qcbp8PkkXeiUsFSugFsn\n"
    "mg+qu3z2/q7W+bFRewSdhiFmTfk7hPL3nsXe7yqzrYzecyY/waMA48T0D3U=\n"
    "-----END OPENSSH PRIVATE KEY-----\n";

/* passphrase "secret", empty comment, aes256-gcm@openssh.com, 2 rounds */
static const char sample_gcm[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAAFmFlczI1Ni1nY21Ab3BlbnNzaC5jb20AAAAGYmNyeXB0AA\n"
    "AAGAAAABBHu6jsIE8duvC0wi8PANsCAAAAAgAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAA\n"
    "IF1Vi7igNKmH6hj1LWxigVhErvMm+2ufnSIaeLJbU134AAAAkGh7MEFT/oIb5YtcBgN2CQ\n"
    "2njF775WGm1ZMxE5lAj1Cxiq+zr9JfmSyBCyHgYqbAsZIuWXn0ZS8Dx+M/kVHhkLcV7pNx\n"
    "0lyFcmhtbfRGK3W6xUaE06ZP/pL1OrueIy0UbtAoMnPMktMnmYZ8v0o02zt6kxwlySz5B9\n"
    "Jdf+dVSXI30k08DyJW06YXoT69Mk1VbR8WzAzEGabN+yZKp5Yuc9c=\n"
    "-----END OPENSSH PRIVATE KEY-----\n";

#define SAMPLE_BLOB64 "AAAAC3NzaC1lZDI1NTE5AAAAIJR4HctOqWx1bjC0jhhmcFwN2crLRFtrjYkH9pxynZlF"
#define SAMPLE_PUB    "ssh-ed25519 " SAMPLE_BLOB64
#define SAMPLE_OTHER  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF1Vi7igNKmH6hj1LWxigVhErvMm+2ufnSIaeLJbU134"
#define SAMPLE_ECDSA_PUB \
    "ecdsa-sha2-nistp256 " \
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBNIqFi9YF2F6z9RchtDLz/EXKVhnz8/bz4U1Lz84/hf4BrBC38jcI8rgbllDVFOt2G/xWIXx1iyXI9heGzj4YFM="

#endif
