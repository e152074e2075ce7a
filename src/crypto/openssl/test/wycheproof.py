#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Holds the primitives behind `driver` against the Wycheproof files in $NACRE_VECTORS or ../shared/vectors. TAP on stdout:
one test a file; files that are not there count as skipped."""
import json
import os
import subprocess
import sys

driver_path, source_root = sys.argv[1:3]


def find_vectors():
    for path in (os.environ.get('NACRE_VECTORS'), os.path.join(source_root, '..', 'shared', 'vectors')):
        if path and os.path.isdir(path):
            return path
    return None


driver = subprocess.Popen([driver_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(op, *args):
    """One line to the driver; its answer's fields."""
    driver.stdin.write(' '.join([op] + [a if a != '' else '-' for a in args]) + '\n')
    driver.stdin.flush()
    return driver.stdout.readline().split()


def mpint_value(secret):
    """The number in an encoded mpint."""
    return int(secret[8:] or '0', 16)


# Each case function returns whether our answer is the expected one; None where the case lies outside our interface.

def mlkem(name):
    def case(group, t):
        made = ask('mlkem_keygen', name, t['seed'])
        if t['result'] == 'invalid' and made[0] == 'ERR':
            return True
        got = ask('mlkem_decaps', name, made[1], t['c'])
        if t['result'] == 'invalid':
            return got[0] == 'ERR'
        return made[0] == t['ek'] and got[0] == t['K']
    return case


def mlkem_encaps(group, t):
    got = ask('mlkem_encaps', '768', t['ek'], t['m'])
    return got[0] == 'ERR' if t['result'] == 'invalid' else got == [t['c'], t['K']]


def mlkem_keygen(group, t):
    return ask('mlkem_keygen', '768', t['seed']) == [t['ek'], t['dk']]


def x25519(group, t):
    ask('kex_start', 'curve25519-sha256', t['private'])
    got = ask('kex_end', t['public'])
    if int(t['shared'], 16) == 0:
        return got[0] == 'ERR'      # RFC 8731 3 wants low order points refused
    return got[0] != 'ERR' and mpint_value(got[0]) == int(t['shared'], 16)


def ed25519(group, t):
    return ask('ed25519_verify', group['publicKey']['pk'], t['msg'], t['sig']) == [verdict(t)]


def verdict(t):
    return 'GOOD' if t['result'] == 'valid' else 'BAD'


def mldsa_sign(group, t):
    """Sign with the nonce given (else the deterministic variant); a case without a message gives mu. The key must be the seed's."""
    seed, rnd = group['privateSeed'], t.get('rnd', '00' * 32)
    if t['result'] == 'valid' and ask('mldsa_public', seed) != [group['publicKey']]:
        return False
    if 'msg' in t:
        got = ask('mldsa_sign', seed, rnd, t.get('ctx', ''), t['msg'])
    else:
        got = ask('mldsa_sign_mu', seed, rnd, t['mu'])
    return got == [t['sig']] if t['result'] == 'valid' else got[0] == 'ERR'


def mldsa_verify(group, t):
    return ask('mldsa_verify', group['publicKey'], t.get('ctx', ''), t['msg'], t['sig']) == [verdict(t)]


def ecdh(bits):
    def case(group, t):
        got = ask('ecdh', bits, t['private'], t['public'])
        if t['result'] == 'valid':
            return got == [t['shared']]
        return got[0] == 'ERR'      # `acceptable` ones are compressed points: refused
    return case


def der_numbers(der):
    """r and s of a strict DER signature in hex, or None: then our framing has no such signature."""
    def item(data, tag):
        if len(data) < 2 or data[0] != tag or data[1] == 0x80:
            raise ValueError
        n, at = data[1], 2
        if n > 0x80:
            size = n & 0x7f
            n, at = int.from_bytes(data[2:2 + size], 'big'), 2 + size
            if n < 0x80 or data[2] == 0:
                raise ValueError
        if len(data) < at + n:
            raise ValueError
        return data[at:at + n], data[at + n:]

    def number(data):
        if not data or data[0] & 0x80 or (len(data) > 1 and data[0] == 0 and not data[1] & 0x80):
            raise ValueError
        return data.lstrip(b'\0').hex()

    try:
        body, rest = item(bytes.fromhex(der), 0x30)
        r, body = item(body, 2)
        s, body = item(body, 2)
        return None if rest or body else (number(r), number(s))
    except (ValueError, IndexError):
        return None


def ecdsa(bits):
    def case(group, t):
        numbers = der_numbers(t['sig'])
        if numbers is None:
            return t['result'] == 'invalid'
        return ask('ecdsa_verify', bits, group['publicKey']['uncompressed'], t['msg'], *numbers) == [verdict(t)]
    return case


def rsa(hash_name):
    def case(group, t):
        key = group['publicKey']
        got = ask('rsa_verify', hash_name, key['modulus'], key['publicExponent'], t['msg'], t['sig'])
        return t['result'] == 'acceptable' or got == [verdict(t)]
    return case


def hmac(name, key_size):
    def case(group, t):
        if group['keySize'] != key_size or len(t['msg']) < 8:
            return None     # an SSH MAC has one key size and covers at least the packet number
        got = ask('mac', name, t['key'], t['msg'][:8], t['msg'][8:])[0]
        return (got[:len(t['tag'])] == t['tag']) == (t['result'] == 'valid')
    return case


def aes_gcm(group, t):
    """Our records have 4 bytes of associated data, which no case has: so only the ciphertext can be held against it."""
    if group['ivSize'] != 96 or group['keySize'] == 192 or t['result'] != 'valid':
        return None
    got = ask('aead_seal', f"aes{group['keySize']}-gcm@openssh.com", t['key'], t['iv'], '00000000', '00000000' + t['msg'])[0]
    return got[8:-32] == t['ct']


FILES = {
    'mlkem_768_test.json': mlkem('768'),
    'mlkem_1024_test.json': mlkem('1024'),
    'mlkem_768_encaps_test.json': mlkem_encaps,
    'mlkem_768_keygen_seed_test.json': mlkem_keygen,
    'mldsa_44_sign_seed_test.json': mldsa_sign,
    'mldsa_44_verify_test.json': mldsa_verify,
    'x25519_test.json': x25519,
    'ed25519_test.json': ed25519,
    'ecdh_secp256r1_ecpoint_test.json': ecdh('256'),
    'ecdh_secp384r1_ecpoint_test.json': ecdh('384'),
    'ecdh_secp521r1_ecpoint_test.json': ecdh('521'),
    'ecdsa_secp256r1_sha256_test.json': ecdsa('256'),
    'ecdsa_secp384r1_sha384_test.json': ecdsa('384'),
    'ecdsa_secp521r1_sha512_test.json': ecdsa('521'),
    'rsa_signature_2048_sha256_test.json': rsa('SHA-256'),
    'rsa_signature_2048_sha512_test.json': rsa('SHA-512'),
    'rsa_signature_3072_sha512_test.json': rsa('SHA-512'),
    'rsa_signature_4096_sha512_test.json': rsa('SHA-512'),
    'hmac_sha256_test.json': hmac('hmac-sha2-256', 256),
    'hmac_sha512_test.json': hmac('hmac-sha2-512', 512),
    'aes_gcm_test.json': aes_gcm,
}


def run_file(path, case):
    groups = json.load(open(path))['testGroups']
    answers = [(t['tcId'], case(g, t)) for g in groups for t in g['tests']]     # None: our interface cannot say it
    return sum(a is not None for _, a in answers), [i for i, a in answers if a is False]


vectors = find_vectors()
print(f'1..{len(FILES)}')
for number, (name, case) in enumerate(FILES.items(), 1):
    path = vectors and os.path.join(vectors, name)
    if not path or not os.path.exists(path):
        print(f'ok {number} - {name} # SKIP no vectors')
        continue
    count, wrong = run_file(path, case)
    print(f"{'not ok' if wrong or not count else 'ok'} {number} - {name}: {count} cases{f', wrong: {wrong[:20]}' if wrong else ''}")
driver.stdin.close()
driver.wait()
