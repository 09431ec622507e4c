import t from 'tap'
import { TokenCache } from '../../../src/core/token-cache.ts'

const NOW = Date.UTC(2026, 0, 15)
const verified = (claims: Record<string, unknown> = {}, expiresAt = NOW + 60_000) =>
  ({ userId: 'anna', sessionId: 'session', claims, expiresAt })

t.test('a token is found by its exact text only', async (t) => {
  const cache = new TokenCache()
  const entry = verified()
  cache.add('header.claims.signature', entry)
  t.equal(cache.get('header.claims.signature', NOW), entry)
  for (const other of ['header.claims.signaturE', 'header.claims.signature ', 'header.claims', '']) t.equal(cache.get(other, NOW), undefined, other)
  t.equal(new TokenCache().get('header.claims.signature', NOW), undefined, 'two caches share nothing')
})

t.test('a token leaves the cache at the millisecond of its expiry', async (t) => {
  const cache = new TokenCache()
  cache.add('token', verified({}, NOW + 1))
  t.ok(cache.get('token', NOW))
  t.equal(cache.get('token', NOW + 1), undefined)
  t.equal(cache.get('token', NOW), undefined, 'it does not come back if the clock moves back')
})

t.test('cached claims are frozen at every level', async (t) => {
  const cache = new TokenCache()
  cache.add('token', verified({ role: { names: ['admin', null] } }))
  const { role } = cache.get('token', NOW)!.claims as { role: { names: unknown[] } }
  t.throws(() => { role.names = [] }, TypeError)
  t.throws(() => role.names.push('owner'), TypeError)
  t.throws(() => Object.assign(cache.get('token', NOW)!.claims, { sub: 'other' }), TypeError)
})

t.test('10,000 tokens are kept, and the one that was not used for the longest time is dropped first', async (t) => {
  const cache = new TokenCache()
  for (let n = 0; n < 10_000; n++) cache.add(`token ${n}`, verified())
  t.ok(cache.get('token 0', NOW), 'used last')
  cache.add('token 10000', verified())
  t.equal(cache.get('token 1', NOW), undefined)
  for (const kept of ['token 0', 'token 2', 'token 9999', 'token 10000']) t.ok(cache.get(kept, NOW), kept)
})

t.test('a token of more than 4,096 characters is not kept', async (t) => {
  const cache = new TokenCache()
  cache.add('x'.repeat(4_096), verified())
  cache.add('x'.repeat(4_097), verified())
  t.ok(cache.get('x'.repeat(4_096), NOW))
  t.equal(cache.get('x'.repeat(4_097), NOW), undefined)
})
