import t from 'tap'
import { deriveKeys, type Purpose } from '../../../src/core/key-derivation.ts'

const PURPOSES: Purpose[] = ['access', 'refresh', 'code', 'device']
const ONE = Buffer.alloc(32, 1)
const TWO = Buffer.alloc(32, 2)
const hex = (keys: ReturnType<typeof deriveKeys>) => PURPOSES.flatMap((purpose) => keys[purpose].map((key) => key.toString('hex')))

t.test('every purpose, instance and secret has its own key', async (t) => {
  const all = ['otp_auth', 'admin'].flatMap((name) => hex(deriveKeys([ONE, TWO], name)))
  t.equal(all.length, 16)
  t.equal(new Set(all).size, 16)
  for (const key of all) t.equal(key.length, 128, '64 bytes, enough for HS512')
  for (const secret of [ONE, TWO]) t.notOk(all.some((key) => key.includes(secret.toString('hex'))), 'no key contains a secret')
})

t.test('a secret gives the same keys in every process, and the keys are in the order of the secrets', async (t) => {
  t.strictSame(hex(deriveKeys([ONE], 'otp_auth')), hex(deriveKeys([Buffer.from(ONE)], 'otp_auth')))
  const rotated = deriveKeys([TWO, ONE], 'otp_auth')
  for (const purpose of PURPOSES) {
    t.strictSame(rotated[purpose], [...deriveKeys([TWO], 'otp_auth')[purpose], ...deriveKeys([ONE], 'otp_auth')[purpose]])
  }
})
