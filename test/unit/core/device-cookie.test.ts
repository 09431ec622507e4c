import t from 'tap'
import { DEVICE_LIFETIME, readDevice, rememberDevice } from '../../../src/core/device-cookie.ts'
import { DAY } from '../../../src/core/duration.ts'
import { withStrayBits } from '../../helpers/jwt.ts'
import { countingRandom } from '../../helpers/random.ts'

const NOW = Date.UTC(2026, 0, 15)
const KEY = Buffer.alloc(64, 1)
const OTHER_KEY = Buffer.alloc(64, 2)
const random = countingRandom()

/** The cookie of a browser that has logged in with each of the email hashes, one after the other. */
function cookieOf (emailHashes: string[], key = KEY): string {
  let cookie: string | undefined
  for (const emailHash of emailHashes) cookie = rememberDevice(readDevice(cookie, [key], NOW), emailHash, key, NOW, random)
  return cookie!
}

t.test('a browser that has logged in is remembered by its cookie for 180 days', async (t) => {
  t.equal(DEVICE_LIFETIME, 180 * DAY)
  const { asked, ...counting } = countingRandom()
  const cookie = rememberDevice(null, 'anna', KEY, NOW, counting)
  t.strictSame(asked, { bytes: [16], int: [] }, 'the device ID is 128 random bits')
  t.match(readDevice(cookie, [KEY], NOW), { id: /^[\w-]{22}$/, emailHashes: ['anna'] })
  t.ok(readDevice(cookie, [KEY], NOW + DEVICE_LIFETIME - 1), 'a millisecond before its end')
  t.equal(readDevice(cookie, [KEY], NOW + DEVICE_LIFETIME), null, 'at its end')
  t.match(cookie, /^[\w.-]+$/, 'it needs no encoding in a cookie')
})

t.test('the cookie holds at most five email hashes, the latest first, and keeps its device ID', async (t) => {
  const first = readDevice(cookieOf(['a']), [KEY], NOW)!
  const again = rememberDevice(first, 'b', KEY, NOW, random)
  t.strictSame(readDevice(again, [KEY], NOW), { id: first.id, emailHashes: ['b', 'a'] })
  t.strictSame(readDevice(cookieOf(['a', 'b', 'a']), [KEY], NOW)!.emailHashes, ['a', 'b'], 'no email hash twice')
  t.strictSame(readDevice(cookieOf(['a', 'b', 'c', 'd', 'e']), [KEY], NOW)!.emailHashes, ['e', 'd', 'c', 'b', 'a'])
  t.strictSame(readDevice(cookieOf(['a', 'b', 'c', 'd', 'e', 'f']), [KEY], NOW)!.emailHashes, ['f', 'e', 'd', 'c', 'b'])
  t.not(readDevice(cookieOf(['a']), [KEY], NOW)!.id, first.id, 'another browser is another device')
})

t.test('a login restarts the 180 days', async (t) => {
  const later = NOW + 100 * DAY
  const cookie = rememberDevice(readDevice(cookieOf(['a']), [KEY], later), 'a', KEY, later, random)
  t.ok(readDevice(cookie, [KEY], later + DEVICE_LIFETIME - 1))
  t.equal(readDevice(cookie, [KEY], later + DEVICE_LIFETIME), null)
})

t.test('a device cookie with a changed character, another email hash, another expiry or another signature is refused', async (t) => {
  const cookie = cookieOf(['anna', 'bert'])
  t.ok(readDevice(cookie, [KEY], NOW))
  for (let position = 0; position < cookie.length; position++) {
    const changed = `${cookie.slice(0, position)}${cookie[position] === 'A' ? 'B' : 'A'}${cookie.slice(position + 1)}`
    if (readDevice(changed, [KEY], NOW) !== null) t.fail(`changed at ${position}: ${changed}`)
  }
  const [id, expiresAt, ...rest] = cookie.split('.')
  const mac = rest.pop()
  const forgeries = {
    'an email hash added': [id, expiresAt, ...rest, 'victim', mac],
    'an email hash removed': [id, expiresAt, rest[0], mac],
    'a later expiry': [id, Number(expiresAt) + DAY, ...rest, mac],
    'no signature': [id, expiresAt, ...rest],
    'an empty signature': [id, expiresAt, ...rest, ''],
    'half a signature': [id, expiresAt, ...rest, mac!.slice(0, 20)],
    'a longer signature': [id, expiresAt, ...rest, `${mac}AAAA`],
    'a padded signature': [id, expiresAt, ...rest, `${mac}=`],
    'stray bits in the signature': [id, expiresAt, ...rest, withStrayBits(mac!)]
  }
  for (const [name, parts] of Object.entries(forgeries)) t.equal(readDevice(parts.join('.'), [KEY], NOW), null, name)
})

t.test('a value that is not a device cookie is refused', async (t) => {
  for (const value of [undefined, '', '.', '...', 'x', 'x.y', '%', '\0', 'a'.repeat(10_000), '.'.repeat(10_000)]) {
    t.equal(readDevice(value, [KEY], NOW), null, JSON.stringify(value)?.slice(0, 20))
  }
})

t.test('a cookie that was signed with another key is refused, and after a rotation the old key is accepted until it is removed', async (t) => {
  const cookie = cookieOf(['anna'], KEY)
  t.equal(readDevice(cookie, [OTHER_KEY], NOW), null)
  t.equal(readDevice(cookie, [], NOW), null)
  const device = readDevice(cookie, [OTHER_KEY, KEY], NOW)
  t.strictSame(device?.emailHashes, ['anna'])
  const renewed = rememberDevice(device, 'anna', OTHER_KEY, NOW, random)
  t.strictSame(readDevice(renewed, [OTHER_KEY], NOW), device, 'the next login moves it to the new key')
})
