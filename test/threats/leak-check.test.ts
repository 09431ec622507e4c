import t, { type Test } from 'tap'
import { buildApp } from '../helpers/app.ts'
import { run } from '../helpers/in-process.ts'

const ANNA = 'anna@example.com'

/** Runs a test apart from this one. @returns its failures. If a teardown throws, tap may report the test as one more. */
async function failuresOf (test: (t: Test) => Promise<void>): Promise<string[]> {
  const { failures } = await run('a file', [{ method: 'test', args: ['a test', test] }])
  return failures.map(({ name }) => name).filter((name) => name !== 'a test')
}

/** Writes something to the log of an application in which Anna has logged in. */
async function logOne (t: Test, secret: 'address' | 'code' | 'access token' | 'refresh token') {
  const { app, browser, codeFor } = await buildApp(t)
  const anna = browser()
  const token = await anna.login(ANNA, codeFor)
  const secrets = { address: ANNA, code: codeFor(ANNA), 'access token': token, 'refresh token': anna.cookies.get('__Host-refresh_token')! }
  app.log.info(`here is ${secrets[secret]}`)
  return secrets[secret]
}

for (const secret of ['address', 'code', 'access token', 'refresh token'] as const) {
  t.test(`a test fails if the log of its application holds the ${secret}`, async (t) => {
    let logged = ''
    const failures = await failuresOf(async (t) => { logged = await logOne(t, secret) })
    t.strictSame(failures, [`the log contains secrets: ${logged}`])
    t.strictSame(await failuresOf(async (t) => { await buildApp(t) }), [], 'the next test does not fail for it')
  })
}

t.test('an application that closes leaves the secrets of an open one to be found', async (t) => {
  let code = ''
  const failures = await failuresOf(async (t) => {
    const { app, browser, codeFor } = await buildApp(t)
    await browser().requestOtp(ANNA)
    await t.test('another application opens and closes', async (t) => { await buildApp(t) })
    code = codeFor(ANNA)
    app.log.info(`here is ${code}`)
  })
  t.strictSame(failures, [`the log contains secrets: ${code}`])
})

t.test('the log lines of an open application are searched for secrets that come later', async (t) => {
  const failures = await failuresOf(async (t) => {
    const { app, browser } = await buildApp(t)
    app.log.info(`here is ${ANNA}`)
    await t.test('another application opens and closes', async (t) => { await buildApp(t) })
    await browser().requestOtp(ANNA)
  })
  t.strictSame(failures, [`the log contains secrets: ${ANNA}`])
})
