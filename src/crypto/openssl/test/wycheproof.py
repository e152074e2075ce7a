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


# Each case function returns True when our answer is the expected one.

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
    got = ask('kex_finish', 'curve25519-sha256', t['private'], t['public'])
    if int(t['shared'], 16) == 0:
        return got[0] == 'ERR'      # RFC 8731 3 wants low order points refused
    return got[0] != 'ERR' and mpint_value(got[1]) == int(t['shared'], 16)


def ed25519(group, t):
    return ask('ed25519_verify', group['publicKey']['pk'], t['msg'], t['sig']) == [verdict(t)]


def verdict(t):
    return 'GOOD' if t['result'] == 'valid' else 'BAD'


FILES = {
    'mlkem_768_test.json': mlkem('768'),
    'mlkem_1024_test.json': mlkem('1024'),
    'mlkem_768_encaps_test.json': mlkem_encaps,
    'mlkem_768_keygen_seed_test.json': mlkem_keygen,
    'x25519_test.json': x25519,
    'ed25519_test.json': ed25519,
}


def run_file(path, case):
    groups = json.load(open(path))['testGroups']
    wrong = [t['tcId'] for g in groups for t in g['tests'] if not case(g, t)]
    return sum(len(g['tests']) for g in groups), wrong


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
