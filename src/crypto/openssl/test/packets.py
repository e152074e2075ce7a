#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Packet ciphers and MACs behind `driver` against the same put together from the primitives of Python's `cryptography` and `hmac`, as
the documents describe them. TAP on stdout."""
import hashlib
import hmac
import os
import struct
import subprocess
import sys

try:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.poly1305 import Poly1305
except ImportError:
    print('1..0 # SKIP the Python module cryptography is not installed')
    sys.exit(0)

LENGTHS = [8, 16, 48, 64, 80, 1024, 32768, 32784]
driver = subprocess.Popen(sys.argv[1:2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(*words):
    driver.stdin.write(' '.join(w if w else '-' for w in words) + '\n')
    driver.stdin.flush()
    return driver.stdout.readline().split()[0]


def chacha20(key, counter, nonce, data):
    iv = struct.pack('<Q', counter) + nonce
    return Cipher(algorithms.ChaCha20(key, iv), mode=None).encryptor().update(data)


def chacha_poly(key, iv, seq, packet):
    """draft-ietf-sshm-chacha20-poly1305: main key first, length key second."""
    nonce = struct.pack('>Q', seq)
    sealed = chacha20(key[32:], 0, nonce, packet[:4]) + chacha20(key[:32], 1, nonce, packet[4:])
    return sealed + Poly1305.generate_tag(chacha20(key[:32], 0, nonce, bytes(32)), sealed)


def gcm(key, iv, seq, packet):
    return packet[:4] + AESGCM(key).encrypt(iv, packet[4:], packet[:4])


AEADS = {'chacha20-poly1305@openssh.com': (64, 0, chacha_poly), 'aes128-gcm@openssh.com': (16, 12, gcm), 'aes256-gcm@openssh.com': (32, 12, gcm)}
STREAMS = {'aes128-ctr': (16, 16), 'aes192-ctr': (24, 16), 'aes256-ctr': (32, 16), 'aes128-cbc': (16, 16), 'aes192-cbc': (24, 16),
           'aes256-cbc': (32, 16), '3des-cbc': (24, 8)}
HASHES = {'hmac-sha2-256': hashlib.sha256, 'hmac-sha2-512': hashlib.sha512, 'hmac-sha1': hashlib.sha1}


def aead_case(name):
    key_len, iv_len, reference = AEADS[name]
    for n in LENGTHS:
        key, iv, seq, packet = os.urandom(key_len), os.urandom(iv_len), os.urandom(4), struct.pack('>I', n) + os.urandom(n)
        want = reference(key, iv, int.from_bytes(seq, 'big'), packet)
        if ask('aead_seal', name, key.hex(), iv.hex(), seq.hex(), packet.hex()) != want.hex():
            return False
    return True


def stream_case(name):
    for n in LENGTHS:
        key_len, block = STREAMS[name]
        key, iv, data = os.urandom(key_len), os.urandom(block), os.urandom((n + 15) // 16 * 16)
        algorithm = algorithms.TripleDES(key) if block == 8 else algorithms.AES(key)
        want = Cipher(algorithm, modes.CTR(iv) if name.endswith('ctr') else modes.CBC(iv)).encryptor().update(data)
        if ask('stream', name, key.hex(), iv.hex(), data.hex()) != want.hex():
            return False
    return True


def mac_case(name):
    digest = HASHES[name.replace('-etm@openssh.com', '')]
    for n in LENGTHS:
        key, seq, data = os.urandom(digest().digest_size), os.urandom(4), os.urandom(n)
        if ask('mac', name, key.hex(), seq.hex(), data.hex()) != hmac.new(key, seq + data, digest).hexdigest():
            return False
    return True


cases = [(n, aead_case) for n in AEADS] + [(n, stream_case) for n in STREAMS] + [(n + e, mac_case) for n in HASHES for e in ('', '-etm@openssh.com')]
print(f'1..{len(cases)}')
for number, (name, case) in enumerate(cases, 1):
    print(f"{'ok' if case(name) else 'not ok'} {number} - {name} equals a reference put together from primitives")
driver.stdin.close()
driver.wait()
