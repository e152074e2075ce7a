// SPDX-License-Identifier: ISC
// ML-KEM, the hybrid key exchanges and ML-DSA against @noble/post-quantum, an implementation that shares no code with ours: each side
// in turn makes keys, encapsulates and decapsulates, signs and verifies. The classical halves come from node. TAP on stdout.
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import readline from 'node:readline';

let noble, dsa;
try {
    noble = await import('@noble/post-quantum/ml-kem');
    dsa = (await import('@noble/post-quantum/ml-dsa')).ml_dsa44;
} catch {
    console.log('1..0 # SKIP @noble/post-quantum is not installed here (npm ci)');
    process.exit(0);
}

const ROUNDS = 20;
const hex = (b) => Buffer.from(b).toString('hex');

function talk(program) {
    const driver = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = readline.createInterface({ input: driver.stdout })[Symbol.asyncIterator]();
    return async (...words) => {
        if (words.length === 0) return driver.stdin.end();
        driver.stdin.write(words.map((w) => (w === '' ? '-' : w)).join(' ') + '\n');
        return (await lines.next()).value.trim().split(' ');
    };
}
const ask = talk(process.argv[2]), askKey = talk(process.argv[3]);

function same(got, want, what) {
    if (got !== want) throw new Error(`${what}: got ${got.slice(0, 80)}, want ${want.slice(0, 80)}`);
}

const sets = { 768: noble.ml_kem768, 1024: noble.ml_kem1024 };

async function mlkem(name) {
    const kem = sets[name];
    const seed = crypto.randomBytes(64), m = crypto.randomBytes(32);
    const pair = kem.keygen(seed);
    const [ek, dk] = await ask('mlkem_keygen', name, hex(seed));
    same(ek, hex(pair.publicKey), 'public key');
    same(dk, hex(pair.secretKey), 'secret key');
    const sent = kem.encapsulate(pair.publicKey, m);
    const [c, k] = await ask('mlkem_encaps', name, ek, hex(m));
    same(c, hex(sent.cipherText), 'ciphertext');
    same(k, hex(sent.sharedSecret), 'secret of the sender');
    same((await ask('mlkem_decaps', name, dk, c))[0], k, 'secret of the receiver');
    const wrong = Buffer.from(sent.cipherText);
    wrong[crypto.randomInt(wrong.length)] ^= 1 << crypto.randomInt(8);
    same((await ask('mlkem_decaps', name, dk, hex(wrong)))[0], hex(kem.decapsulate(wrong, pair.secretKey)), 'secret after rejection');
}

// The classical halves: a key pair with its raw public value, and the shared number.
const x25519 = {
    length: 32,
    make() {
        const pair = crypto.generateKeyPairSync('x25519');
        const raw = (key) => Buffer.from(key.export({ format: 'jwk' }).x, 'base64url');
        const peer = (b) => crypto.createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: Buffer.from(b).toString('base64url') }, format: 'jwk' });
        return { publicValue: raw(pair.publicKey), derive: (b) => crypto.diffieHellman({ privateKey: pair.privateKey, publicKey: peer(b) }) };
    },
};
const nist = (curve, length) => ({
    length,
    make() {
        const ecdh = crypto.createECDH(curve);
        return { publicValue: ecdh.generateKeys(), derive: (b) => ecdh.computeSecret(b) };
    },
});
const hybrids = {
    'mlkem768x25519-sha256': [noble.ml_kem768, 1088, x25519, 'sha256'],
    'mlkem768nistp256-sha256': [noble.ml_kem768, 1088, nist('prime256v1', 65), 'sha256'],
    'mlkem1024nistp384-sha384': [noble.ml_kem1024, 1568, nist('secp384r1', 97), 'sha384'],
};

// The secret as SSH encodes it: string HASH(K_PQ || K_CL).
function encoded(hash, pq, classical) {
    const digest = crypto.createHash(hash).update(pq).update(classical).digest();
    const length = Buffer.alloc(4);
    length.writeUInt32BE(digest.length);
    return hex(Buffer.concat([length, digest]));
}

async function hybrid(name) {
    const [kem, cipherLength, share, hash] = hybrids[name];
    const ours = share.make(), pair = kem.keygen(), random = hex(crypto.randomBytes(96));
    const [reply, secret] = await ask('kex_reply', name, random, hex(pair.publicKey) + hex(ours.publicValue));
    const bytes = Buffer.from(reply, 'hex');
    same(String(bytes.length), String(cipherLength + share.length), 'length of the reply');
    const pq = kem.decapsulate(bytes.subarray(0, cipherLength), pair.secretKey);
    same(secret, encoded(hash, pq, ours.derive(bytes.subarray(cipherLength))), 'secret, we as server');

    const other = share.make();
    const start = Buffer.from((await ask('kex_start', name, random))[0], 'hex');
    const keyLength = start.length - share.length;
    const sent = kem.encapsulate(start.subarray(0, keyLength));
    const [got] = await ask('kex_end', hex(sent.cipherText) + hex(other.publicValue));
    same(got, encoded(hash, sent.sharedSecret, other.derive(start.subarray(keyLength))), 'secret, we as client');
}

async function mldsa() {
    const seed = crypto.randomBytes(32), rnd = crypto.randomBytes(32), msg = crypto.randomBytes(crypto.randomInt(300)), ctx = crypto.randomBytes(crypto.randomInt(256));
    const pair = dsa.keygen(seed);
    const [pk] = await ask('mldsa_public', hex(seed));
    same(pk, hex(pair.publicKey), 'public key');
    const sig = dsa.sign(pair.secretKey, msg, ctx, rnd);
    same((await ask('mldsa_sign', hex(seed), hex(rnd), hex(ctx), hex(msg)))[0], hex(sig), 'signature');
    same((await ask('mldsa_verify', pk, hex(ctx), hex(msg), hex(sig)))[0], 'GOOD', 'its signature to us');
    const wrong = Buffer.from(sig);
    wrong[crypto.randomInt(wrong.length)] ^= 1 << crypto.randomInt(8);
    same((await ask('mldsa_verify', pk, hex(ctx), hex(msg), hex(wrong)))[0], dsa.verify(pair.publicKey, msg, wrong, ctx) ? 'GOOD' : 'BAD', 'a changed one to both');
    const [ours] = await ask('mldsa_sign', hex(seed), hex(crypto.randomBytes(32)), hex(ctx), hex(msg));
    same(String(dsa.verify(pair.publicKey, msg, Buffer.from(ours, 'hex'), ctx)), 'true', 'our signature to it');
}

// ssh-mldsa44-ed25519@openssh.com, put together here from noble's ML-DSA and node's Ed25519 by the draft's words.
const COMPOSITE = 'ssh-mldsa44-ed25519@openssh.com', LABEL = Buffer.from('COMPSIG-MLDSA44-Ed25519-SHA512');
const string = (b) => {
    const body = Buffer.from(b), length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    return Buffer.concat([length, body]);
};

function edKey(seed) {
    const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);      // RFC 8410
    return crypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

async function composite() {
    const seeds = crypto.randomBytes(64), msg = crypto.randomBytes(crypto.randomInt(300));
    const pq = dsa.keygen(seeds.subarray(0, 32)), ed = edKey(seeds.subarray(32));
    const edPublic = Buffer.from(crypto.createPublicKey(ed).export({ format: 'jwk' }).x, 'base64url');
    const pk = Buffer.concat([Buffer.from(pq.publicKey), edPublic]), blob = Buffer.concat([string(COMPOSITE), string(pk)]);
    const text = Buffer.concat([Buffer.from('CompositeAlgorithmSignatures2025'), LABEL, Buffer.from([0]), crypto.createHash('sha512').update(msg).digest()]);
    const sig = Buffer.concat([Buffer.from(dsa.sign(pq.secretKey, text, LABEL)), crypto.sign(null, text, ed)]);
    const framed = (b) => hex(Buffer.concat([string(COMPOSITE), string(b)]));
    same((await askKey(COMPOSITE, hex(blob), hex(msg), framed(sig)))[0], 'GOOD', 'its signature to us');
    for (const at of [crypto.randomInt(2420), 2420 + crypto.randomInt(64)]) {       // either half alone is not enough
        const wrong = Buffer.from(sig);
        wrong[at] ^= 1 << crypto.randomInt(8);
        same((await askKey(COMPOSITE, hex(blob), hex(msg), framed(wrong)))[0], 'BAD', 'one with a wrong half');
    }
    const section = Buffer.concat([string(COMPOSITE), string(pk), string(seeds)]);
    const ours = Buffer.from((await askKey('sign', COMPOSITE, hex(section), hex(msg)))[0], 'hex').subarray(4 + COMPOSITE.length + 4);
    same(String(ours.length), '2484', 'length of ours');
    same(String(dsa.verify(pq.publicKey, text, ours.subarray(0, 2420), LABEL)), 'true', 'our ML-DSA half to it');
    same(String(crypto.verify(null, text, crypto.createPublicKey(ed), ours.subarray(2420))), 'true', 'our Ed25519 half to it');
}

const cases = [['ML-DSA-44', mldsa], [COMPOSITE, composite], ...Object.keys(sets).map((n) => [`ML-KEM-${n}`, () => mlkem(n)]), ...Object.keys(hybrids).map((n) => [n, () => hybrid(n)])];
let number = 0, failed = 0;
console.log(`1..${cases.length}`);
for (const [name, run] of cases) {
    number++;
    try {
        for (let i = 0; i < ROUNDS; i++) await run();
        console.log(`ok ${number} - ${name}: ${ROUNDS} rounds with @noble/post-quantum`);
    } catch (e) {
        failed++;
        console.log(`not ok ${number} - ${name}\n# ${e.message}`);
    }
}
ask();
askKey();
process.exitCode = failed ? 1 : 0;
