import type { BrowserContextOptions, Page } from 'playwright-core'
import type { OtpAuthOptions } from '../../src/index.ts'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { build } from 'esbuild'
import t, { type Test } from 'tap'
import { openChromium } from '../helpers/chromium.ts'
import { freshDist } from '../helpers/fresh-dist.ts'

// The example imports the package by its own name, which is `dist`: build first, import then.
freshDist()
const { buildExample } = await import('../../examples/shared/app.ts')
const { drizzleStorage, migrations } = await import('fastify-otp-auth/drizzle/sqlite')

/** The example on a free port with a database in memory. */
async function startExample (t: Test, otpAuth: Partial<OtpAuthOptions> = {}) {
  const sqlite = new Database(':memory:')
  const db = drizzle(sqlite)
  migrate(db, migrations)
  const app = await buildExample({ storage: drizzleStorage(db), closeDatabase: () => sqlite.close(), logger: false, otpAuth })
  t.teardown(() => app.close())
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  return { app, origin: `http://localhost:${port}` }
}

/** A browser that nobody has used yet, on the example's page. What its scripts complain about fails the test. */
async function openPage (t: Test, origin: string, options: BrowserContextOptions = {}) {
  const context = await browser.newContext({ baseURL: origin, ...options })
  t.teardown(() => context.close())
  context.setDefaultTimeout(15_000)
  context.on('weberror', (error) => t.fail('a script threw', { error: error.error() }))
  const page = await context.newPage()
  await page.goto('/')
  return page
}

const heading = (page: Page, name: string) => page.getByRole('heading', { name }).waitFor()
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name })
const focused = (page: Page) => page.locator(':focus').getAttribute('id')

async function askForCode (page: Page, email: string) {
  await page.getByLabel('E-mail address').fill(email)
  await button(page, 'Send me a code').click()
  await heading(page, 'Enter your code')
}

/** The newest code in the inbox, opened by the link on the page. */
async function codeFromInbox (page: Page) {
  const [inbox] = await Promise.all([page.waitForEvent('popup'), page.getByRole('link', { name: 'Open the inbox' }).click()])
  const code = await inbox.locator('code').first().textContent()
  await inbox.close()
  return code!
}

async function enterCode (page: Page, code: string) {
  await page.getByLabel('Code').fill(code)
  await button(page, 'Sign in').click()
}

const browser = await openChromium(t)

t.test('logs in with the code from the inbox, refreshes, survives a reload and logs out', async (t) => {
  const { origin } = await startExample(t)
  const page = await openPage(t, origin)
  await heading(page, 'Sign in')
  t.equal(await focused(page), 'email')

  await askForCode(page, 'Ada@Example.com')
  t.equal(await focused(page), 'code-input')
  t.equal(await page.getByLabel('Code').getAttribute('autocomplete'), 'one-time-code')
  t.match(await button(page, /New code in/).textContent(), /^New code in (1:00|0:5\d)$/)
  t.ok(await button(page, /New code in/).isDisabled())
  await enterCode(page, await codeFromInbox(page))

  await heading(page, 'You are signed in')
  t.equal(await focused(page), 'profile-title')
  t.match(await page.locator('#profile-email').textContent(), /^ada@example\.com$/i)
  await page.getByText(/^expires in 1[45]:\d\d$/).waitFor()

  await button(page, 'Refresh').click()
  await page.getByText('You have a new access token.').waitFor()
  t.equal(await focused(page), 'refresh')

  await page.reload()
  await heading(page, 'You are signed in')

  await button(page, 'Log out').click()
  await page.getByText('You are signed out.').waitFor()
  await page.reload()
  await heading(page, 'Sign in')
})

t.test('takes a pasted code with a space in it', async (t) => {
  const { origin } = await startExample(t)
  const page = await openPage(t, origin, { permissions: ['clipboard-read', 'clipboard-write'] })
  await askForCode(page, 'paste@example.com')
  const code = await codeFromInbox(page)
  const spaced = `${code.slice(0, 3)} ${code.slice(3)}`

  // By way of the real clipboard: typed text would not meet a limit on the field's length.
  await page.evaluate(`navigator.clipboard.writeText('${spaced}')`)
  await page.getByLabel('Code').focus()
  await page.keyboard.press('ControlOrMeta+V')
  t.equal(await page.getByLabel('Code').inputValue(), spaced)
  await page.keyboard.press('Enter')
  await heading(page, 'You are signed in')
})

t.test('a wrong code says how many tries are left, and the right one still works', async (t) => {
  const { origin } = await startExample(t)
  const page = await openPage(t, origin)
  await askForCode(page, 'wrong@example.com')
  const code = await codeFromInbox(page)
  const wrong = code === '000000' ? '111111' : '000000'

  await enterCode(page, wrong)
  await page.getByRole('alert').getByText('4 tries left.').waitFor()
  t.equal(await focused(page), 'code-input')
  t.equal(await page.getByLabel('Code').getAttribute('aria-invalid'), 'true')
  await enterCode(page, wrong)
  await page.getByRole('alert').getByText('3 tries left.').waitFor()

  await enterCode(page, code)
  await heading(page, 'You are signed in')
  t.equal(await page.getByRole('alert').textContent(), '')
})

t.test('sends a new code once the wait is over', async (t) => {
  const { app, origin } = await startExample(t, { otpRateLimitSeconds: 1 })
  const page = await openPage(t, origin)
  await askForCode(page, 'again@example.com')
  await button(page, 'Send a new code').click()
  await page.getByText('A new code is on its way.').waitFor()
  t.equal((await app.inject('/inbox/mails')).json().length, 2)
  await enterCode(page, await codeFromInbox(page))
  await heading(page, 'You are signed in')
})

t.test('an address that has to wait can still enter the code it got', async (t) => {
  const { origin } = await startExample(t)
  const page = await openPage(t, origin)
  await askForCode(page, 'wait@example.com')
  await page.reload()
  await askForCode(page, 'wait@example.com')
  await page.getByRole('alert').getByText('Too many requests').waitFor()
  t.ok(await button(page, /New code in/).isDisabled())
  await enterCode(page, await codeFromInbox(page))
  await heading(page, 'You are signed in')
})

t.test('asks for letters too once codes are long', async (t) => {
  const { origin } = await startExample(t, { otpRateLimitSeconds: 1, failureLimits: { perDay: 1 } })
  const page = await openPage(t, origin)
  await askForCode(page, 'long@example.com')
  t.equal(await page.getByLabel('Code').getAttribute('inputmode'), 'numeric')
  const code = await codeFromInbox(page)
  await enterCode(page, code === '000000' ? '111111' : '000000')
  await page.getByRole('alert').getByText('tries left').waitFor()

  await button(page, 'Send a new code').click()
  await page.getByText('(13 letters and digits)').waitFor()
  t.equal(await page.getByLabel('Code').getAttribute('inputmode'), 'text')
  const long = await codeFromInbox(page)
  t.match(long, /^[0-9A-HJKMNP-TV-Z]{13}$/)
  await enterCode(page, long.toLowerCase())
  await heading(page, 'You are signed in')
})

t.test('shows what is wrong with an address, and takes another one', async (t) => {
  const { origin } = await startExample(t)
  const page = await openPage(t, origin)
  await page.getByLabel('E-mail address').fill('nobody@localhost')
  await button(page, 'Send me a code').click()
  await page.getByRole('alert').getByText('The address must').waitFor()
  t.equal(await focused(page), 'email')

  await askForCode(page, 'first@example.com')
  await button(page, 'Use another address').click()
  await askForCode(page, 'second@example.com')
  t.equal(await page.locator('#sent-to').textContent(), 'second@example.com')
})

t.test('two tabs: a login and a logout in one show in the other, and both can refresh at once', async (t) => {
  const { app, origin } = await startExample(t)
  const page = await openPage(t, origin)
  const other = await page.context().newPage()
  await other.goto('/')
  await heading(other, 'Sign in')
  await askForCode(page, 'tabs@example.com')
  await enterCode(page, (await app.inject('/inbox/mails')).json()[0].code)
  await heading(page, 'You are signed in')
  await heading(other, 'You are signed in')

  await Promise.all([page, other].map(async (tab) => {
    await button(tab, 'Refresh').click()
    await tab.getByText('You have a new access token.').waitFor()
  }))
  await Promise.all([page, other].map(async (tab) => {
    await tab.reload()
    await heading(tab, 'You are signed in')
  }))

  await button(other, 'Log out').click()
  await heading(page, 'Sign in')
  await page.getByRole('status').getByText('You are signed out.').waitFor()
  t.equal(await page.getByLabel('E-mail address').inputValue(), '', 'who was here does not show')
  t.equal(await focused(page), 'email')
})

t.test('says that it is sending, and that the code could not be sent', async (t) => {
  let fail: () => void = () => {}
  const { origin } = await startExample(t, { sendOtp: () => new Promise((_resolve, reject) => { fail = () => reject(new Error('no mail server')) }) })
  const page = await openPage(t, origin)
  await page.getByLabel('E-mail address').fill('down@example.com')
  await button(page, 'Send me a code').click()
  await button(page, 'Sending …').waitFor()
  fail()
  await page.getByRole('alert').getByText('The code could not be sent; try again').waitFor()
  await button(page, 'Send me a code').waitFor()
  t.equal(await focused(page), 'email')
})

t.test('says when all tries are used up', async (t) => {
  const { origin } = await startExample(t, { maxOtpAttempts: 1 })
  const page = await openPage(t, origin)
  await askForCode(page, 'tries@example.com')
  const code = await codeFromInbox(page)
  await enterCode(page, code === '000000' ? '111111' : '000000')
  await page.getByRole('alert').getByText('No tries left: ask for a new code.').waitFor()
  await enterCode(page, code)
  await page.getByRole('alert').getByText('Too many wrong codes').waitFor()
})

t.test('tells a server that is down from a session that is over', async (t) => {
  const { origin } = await startExample(t)
  const page = await openPage(t, origin)
  await askForCode(page, 'offline@example.com')
  await enterCode(page, await codeFromInbox(page))
  await heading(page, 'You are signed in')
  await page.route('**/auth/refresh', (route) => route.fulfill({ status: 502, contentType: 'text/html', body: '<h1>Bad gateway</h1>' }))
  await button(page, 'Refresh').click()
  await page.getByRole('alert').getByText('The server answered 502').waitFor()
  await heading(page, 'You are signed in')
  await page.reload()
  await page.getByRole('alert').getByText('The server answered 502').waitFor()
  await page.unroute('**/auth/refresh')
  await page.reload()
  await heading(page, 'You are signed in')
})

t.test('a page of another site can neither post a form nor fetch', async (t) => {
  const { app, origin } = await startExample(t)
  const attacker = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(`<!doctype html>
    <form method="post" enctype="text/plain" action="${origin}/auth/request-otp">
      <input name='{"email":"victim@example.com","x":"' value='"}'><button>Win</button>
    </form>`))
  attacker.listen(0, '127.0.0.1')
  await once(attacker, 'listening')
  t.teardown(() => attacker.close())
  const page = await openPage(t, origin)
  await askForCode(page, 'victim@example.com')
  await enterCode(page, await codeFromInbox(page))
  await heading(page, 'You are signed in')

  // Another port of the same host would be the same site, which gets the cookies.
  const evil = await page.context().newPage()
  for (const host of ['127.0.0.1', 'localhost']) {
    await evil.goto(`http://${host}:${(attacker.address() as AddressInfo).port}/`)
    for (const headers of ['{}', '{ "content-type": "text/plain" }', '{ "content-type": "application/json" }']) {
      const outcome = await evil.evaluate(`fetch('${origin}/auth/logout',
        { method: 'POST', mode: 'no-cors', credentials: 'include', headers: ${headers}, body: '{}' }).then(({ type }) => type, String)`)
      t.equal(outcome, 'opaque')
    }
    const [answer] = await Promise.all([evil.waitForResponse(`${origin}/auth/request-otp`), button(evil, 'Win').click()])
    t.equal(answer.status(), 403)
  }
  t.equal((await app.inject('/inbox/mails')).json().length, 1, 'no mail was sent')
  await page.reload()
  await heading(page, 'You are signed in')
})

t.test('the client is at most 3 kB, minified and gzipped', async (t) => {
  const { outputFiles: [bundle] } = await build({
    entryPoints: [fileURLToPath(import.meta.resolve('fastify-otp-auth/client'))],
    bundle: true,
    format: 'esm',
    minify: true,
    write: false
  })
  const size = gzipSync(bundle!.contents).length
  t.ok(size <= 3 * 1024, `${size} bytes`)
})

t.test('documents its routes at /docs, with a padlock on the guarded ones alone', async (t) => {
  const { app, origin } = await startExample(t)
  const page = await (await openPage(t, origin)).context().newPage()
  const complaints: string[] = []
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()) })
  await page.goto('/docs')
  const operation = (path: string) => page.locator('.opblock', { has: page.locator(`[data-path="${path}"]`) })
  await operation('/billing').waitFor()
  for (const path of ['/auth/refresh', '/auth/logout', '/me', '/billing']) {
    t.equal(await operation(path).locator('.authorization__btn').count(), 1, path)
  }
  for (const path of ['/auth/request-otp', '/auth/verify-otp']) {
    t.equal(await operation(path).locator('.authorization__btn').count(), 0, path)
  }
  t.equal(await page.locator('.opblock').count(), 6, 'pages are no part of it')
  t.same(complaints, [], 'its policy lets it do what it needs')
  t.match((await app.inject('/')).headers['content-security-policy'], /style-src 'self';/, "the sign-in page's own is as strict as it was")
})

t.test('guards its routes and escapes what strangers typed', async (t) => {
  const { app } = await startExample(t)
  t.equal((await app.inject('/me')).statusCode, 401)
  t.equal((await app.inject('/billing')).statusCode, 401)

  const email = "o'neil&co@example.com"
  const asked = await app.inject({ method: 'POST', url: '/auth/request-otp', payload: { email } })
  t.equal(asked.statusCode, 200)
  const { code } = (await app.inject('/inbox/mails')).json()[0]
  const { payload: html } = await app.inject('/inbox')
  t.match(html, 'o&#39;neil&#38;co@example.com')
  t.notMatch(html, email)

  const { access_token: token } = (await app.inject({ method: 'POST', url: '/auth/verify-otp', payload: { email, code } })).json()
  const headers = { authorization: `Bearer ${token}` }
  t.match((await app.inject({ url: '/me', headers })).json(), { email, isVerified: true })
  t.match((await app.inject({ url: '/billing', headers })).json(), { billedTo: email })
})
