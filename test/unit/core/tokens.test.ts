import { randomBytes } from 'node:crypto'
import t from 'tap'
import { createTokens, type JwtKey } from '../../../src/core/tokens.ts'
import { createClock } from '../../helpers/app.ts'
import { countingRandom } from '../../helpers/random.ts'

const base64url = (part: string | Buffer) => Buffer.from(part).toString('base64url')

/** Tokens on a JWT library that verifies nothing, so that every refusal comes from the code of this project. */
function withLibraryThatVerifiesNothing () {
  const clock = createClock()
  const key: JwtKey = {
    sign: (claims) => ['{"alg":"HS256"}', JSON.stringify(claims), randomBytes(32)].map((part) => base64url(part)).join('.'),
    verify: (token) => JSON.parse(Buffer.from(token.split('.').findLast((part) => part.startsWith('eyJzdWIi'))!, 'base64url').toString())
  }
  return { clock, tokens: createTokens({ access: [key], refresh: [key], clock, random: countingRandom() }) }
}

const IDS = { userId: 'anna', sessionId: 'session' }

t.test('a text that is not exactly three complete parts is refused, even if the library accepts it', async (t) => {
  const { clock, tokens } = withLibraryThatVerifiesNothing()
  const token = tokens.signAccess({ ...IDS, custom: {}, expiresAt: clock() + 60_000 })
  t.match(tokens.verifyAccess(token), IDS)
  const [header, claims, signature] = token.split('.')
  for (const text of [
    `${header}.${claims}`, `${header}.${claims}.`, `.${claims}.${signature}`, `${header}.${claims}.${signature}.${signature}`,
    `${header}.${claims}.${signature}=`, `e30x.${claims}.${signature}`, `${base64url('{"alg')}.${claims}.${signature}`
  ]) t.equal(tokens.verifyAccess(text), null, text)
})

t.test('an expired token is refused unless the caller accepts expired ones', async (t) => {
  const { clock, tokens } = withLibraryThatVerifiesNothing()
  const expiresAt = clock() + 60_000
  const access = tokens.signAccess({ ...IDS, custom: {}, expiresAt })
  const refresh = tokens.signRefresh({ ...IDS, seq: 1, expiresAt })
  t.match([tokens.verifyAccess(access), tokens.verifyRefresh(refresh)], [IDS, { ...IDS, seq: 1 }])
  clock.advance(60)
  t.same([tokens.verifyAccess(access), tokens.verifyRefresh(refresh)], [null, null])
  const any = { ignoreExpiration: true }
  t.match([tokens.verifyAccess(access, any), tokens.verifyRefresh(refresh, any)], [IDS, { ...IDS, seq: 1 }])
})
