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
import { skipWithout } from '../helpers/requirements.ts'

// The example imports the package by its name, which resolves to `dist`. So build it before the imports.
freshDist()
const { buildExample } = await import('../../examples/shared/app.ts')
const { drizzleStorage, migrations } = await import('fastify-otp-auth/drizzle/sqlite')

/** Starts the example on a free port, with a database in memory. */
async function startExample (t: Test, otpAuth: Partial<OtpAuthOptions> = {}) {
  const sqlite = new Database(':memory:')
  const db = drizzle(sqlite)
  migrate(db, migrations)
  const app = await buildExample({ storage: drizzleStorage(db), closeDatabase: () => sqlite.close(), logger: false, otpAuth })
  t.teardown(() => app.close())
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  return { app, origin: `http://localhost:${port}` }
}

/** Opens the example's page in a new browser profile. An error in a script of the page fails the test. */
async function openPage (t: Test, origin: string, options: BrowserContextOptions = {}) {
  const context = await browser!.newContext({ baseURL: origin, ...options })
  t.teardown(() => context.close())
  context.setDefaultTimeout(15_000)
  context.on('weberror', (error) => t.fail('a script threw an error', { error: error.error() }))
  const page = await context.newPage()
  await page.goto('/')
  return page
}

const heading = (page: Page, name: string) => page.getByRole('heading', { name }).waitFor()
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name })
const focused = (page: Page) => page.locator(':focus').getAttribute('id')

async function requestCode (page: Page, email: string) {
  await page.getByLabel('Email address').fill(email)
  await button(page, 'Send me a code').click()
  await heading(page, 'Enter your code')
}

/** Opens the inbox by the link on the page, and returns the newest code. */
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

const skip = skipWithout('chromium')
const browser = skip === false ? await openChromium(t) : undefined

t.test('a user signs in with the code from the inbox, refreshes, stays signed in after a reload and signs out', { skip }, async (t) => {
  const { origin } = await startExample(t)
  const page = await openPage(t, origin)
  await heading(page, 'Sign in')
  t.equal(await focused(page), 'email')

  await requestCode(page, 'Ada@Example.com')
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

  await button(page, 'Sign out').click()
  await page.getByText('You are signed out.').waitFor()
  await page.reload()
  await heading(page, 'Sign in')
})

t.test('a pasted code may contain a space', { skip }, async (t) => {
  const { origin } = await startExample(t)
  const page = await openPage(t, origin, { permissions: ['clipboard-read', 'clipboard-write'] })
  await requestCode(page, 'paste@example.com')
  const code = await codeFromInbox(page)
  const spaced = `${code.slice(0, 3)} ${code.slice(3)}`

  // Use the real clipboard, because a maxlength of the field would cut off pasted text only.
  await page.evaluate(`navigator.clipboard.writeText('${spaced}')`)
  await page.getByLabel('Code').focus()
  await page.keyboard.press('ControlOrMeta+V')
  t.equal(await page.getByLabel('Code').inputValue(), spaced)
  await page.keyboard.press('Enter')
  await heading(page, 'You are signed in')
})

t.test('after a wrong code the page shows how many attempts are left, and the right code still works', { skip }, async (t) => {
  const { origin } = await startExample(t)
  const page = await openPage(t, origin)
  await requestCode(page, 'wrong@example.com')
  const code = await codeFromInbox(page)
  const wrong = code === '000000' ? '111111' : '000000'

  await enterCode(page, wrong)
  await page.getByRole('alert').getByText('4 attempts left.').waitFor()
  t.equal(await focused(page), 'code-input')
  t.equal(await page.getByLabel('Code').getAttribute('aria-invalid'), 'true')
  await enterCode(page, wrong)
  await page.getByRole('alert').getByText('3 attempts left.').waitFor()

  await enterCode(page, code)
  await heading(page, 'You are signed in')
  t.equal(await page.getByRole('alert').textContent(), '')
})

t.test('the page can send a new code when the cooldown is over', { skip }, async (t) => {
  const { app, origin } = await startExample(t, { otpRateLimitSeconds: 1 })
  const page = await openPage(t, origin)
  await requestCode(page, 'again@example.com')
  await button(page, 'Send a new code').click()
  await page.getByText('We sent you a new code.').waitFor()
  t.equal((await app.inject('/inbox/emails')).json().length, 2)
  await enterCode(page, await codeFromInbox(page))
  await heading(page, 'You are signed in')
})

t.test('during the cooldown the user can still enter the previous code', { skip }, async (t) => {
  const { origin } = await startExample(t)
  const page = await openPage(t, origin)
  await requestCode(page, 'wait@example.com')
  await page.reload()
  await requestCode(page, 'wait@example.com')
  await page.getByRole('alert').getByText('Too many requests').waitFor()
  t.ok(await button(page, /New code in/).isDisabled())
  await enterCode(page, await codeFromInbox(page))
  await heading(page, 'You are signed in')
})

t.test('the code field accepts letters when codes are long', { skip }, async (t) => {
  const { origin } = await startExample(t, { otpRateLimitSeconds: 1, failureLimits: { perDay: 1 } })
  const page = await openPage(t, origin)
  await requestCode(page, 'long@example.com')
  t.equal(await page.getByLabel('Code').getAttribute('inputmode'), 'numeric')
  const code = await codeFromInbox(page)
  await enterCode(page, code === '000000' ? '111111' : '000000')
  await page.getByRole('alert').getByText('attempts left').waitFor()

  await button(page, 'Send a new code').click()
  await page.getByText('(13 letters and digits)').waitFor()
  t.equal(await page.getByLabel('Code').getAttribute('inputmode'), 'text')
  const long = await codeFromInbox(page)
  t.match(long, /^[0-9A-HJKMNP-TV-Z]{13}$/)
  await enterCode(page, long.toLowerCase())
  await heading(page, 'You are signed in')
})

t.test('the page shows why an email address is invalid, and the user can enter another one', { skip }, async (t) => {
  const { origin } = await startExample(t)
  const page = await openPage(t, origin)
  await page.getByLabel('Email address').fill('nobody@localhost')
  await button(page, 'Send me a code').click()
  await page.getByRole('alert').getByText('The email address must').waitFor()
  t.equal(await focused(page), 'email')

  await requestCode(page, 'first@example.com')
  await button(page, 'Use another address').click()
  await requestCode(page, 'second@example.com')
  t.equal(await page.locator('#sent-to').textContent(), 'second@example.com')
})

t.test('two tabs show each other\'s sign-in and sign-out, and can refresh at the same time', { skip }, async (t) => {
  const { app, origin } = await startExample(t)
  const page = await openPage(t, origin)
  const other = await page.context().newPage()
  await other.goto('/')
  await heading(other, 'Sign in')
  await requestCode(page, 'tabs@example.com')
  await enterCode(page, (await app.inject('/inbox/emails')).json()[0].code)
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

  await button(other, 'Sign out').click()
  await heading(page, 'Sign in')
  await page.getByRole('status').getByText('You are signed out.').waitFor()
  t.equal(await page.getByLabel('Email address').inputValue(), '', 'the address of the previous user is cleared')
  t.equal(await focused(page), 'email')
})

t.test('the page shows that the code is being sent, and that sending it failed', { skip }, async (t) => {
  let fail: () => void = () => {}
  const { origin } = await startExample(t, { sendOtp: () => new Promise((_resolve, reject) => { fail = () => reject(new Error('the email provider is down')) }) })
  const page = await openPage(t, origin)
  await page.getByLabel('Email address').fill('down@example.com')
  await button(page, 'Send me a code').click()
  await button(page, 'Sending …').waitFor()
  fail()
  await page.getByRole('alert').getByText('The code could not be sent. Try again').waitFor()
  await button(page, 'Send me a code').waitFor()
  t.equal(await focused(page), 'email')
})

t.test('the page shows that no attempts are left', { skip }, async (t) => {
  const { origin } = await startExample(t, { maxOtpAttempts: 1 })
  const page = await openPage(t, origin)
  await requestCode(page, 'attempts@example.com')
  const code = await codeFromInbox(page)
  await enterCode(page, code === '000000' ? '111111' : '000000')
  await page.getByRole('alert').getByText('No attempts left. Request a new code.').waitFor()
  await enterCode(page, code)
  await page.getByRole('alert').getByText('Too many wrong codes').waitFor()
})

t.test('the user stays signed in while the server is down', { skip }, async (t) => {
  const { origin } = await startExample(t)
  const page = await openPage(t, origin)
  await requestCode(page, 'offline@example.com')
  await enterCode(page, await codeFromInbox(page))
  await heading(page, 'You are signed in')
  await page.route('**/auth/refresh', (route) => route.fulfill({ status: 502, contentType: 'text/html', body: '<h1>Bad gateway</h1>' }))
  await button(page, 'Refresh').click()
  await page.getByRole('alert').getByText('Unexpected response with status 502').waitFor()
  await heading(page, 'You are signed in')
  await page.reload()
  await page.getByRole('alert').getByText('Unexpected response with status 502').waitFor()
  await page.unroute('**/auth/refresh')
  await page.reload()
  await heading(page, 'You are signed in')
})

t.test('a page of another site can send neither a form nor a fetch request', { skip }, async (t) => {
  const { app, origin } = await startExample(t)
  const attacker = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(`<!doctype html>
    <form method="post" enctype="text/plain" action="${origin}/auth/request-otp">
      <input name='{"email":"victim@example.com","x":"' value='"}'><button>Win</button>
    </form>`))
  attacker.listen(0, '127.0.0.1')
  await once(attacker, 'listening')
  t.teardown(() => attacker.close())
  const page = await openPage(t, origin)
  await requestCode(page, 'victim@example.com')
  await enterCode(page, await codeFromInbox(page))
  await heading(page, 'You are signed in')

  // Another port of the same host counts as the same site, so its requests include the cookies.
  const evil = await page.context().newPage()
  for (const host of ['127.0.0.1', 'localhost']) {
    await evil.goto(`http://${host}:${(attacker.address() as AddressInfo).port}/`)
    for (const headers of ['{}', '{ "content-type": "text/plain" }', '{ "content-type": "application/json" }']) {
      const outcome = await evil.evaluate(`fetch('${origin}/auth/logout',
        { method: 'POST', mode: 'no-cors', credentials: 'include', headers: ${headers}, body: '{}' }).then(({ type }) => type, String)`)
      t.equal(outcome, 'opaque')
    }
    const [response] = await Promise.all([evil.waitForResponse(`${origin}/auth/request-otp`), button(evil, 'Win').click()])
    t.equal(response.status(), 403)
  }
  t.equal((await app.inject('/inbox/emails')).json().length, 1, 'no more emails were sent')
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

t.test('/docs documents the routes, and only guarded routes have a padlock', { skip }, async (t) => {
  const { app, origin } = await startExample(t)
  const page = await (await openPage(t, origin)).context().newPage()
  const errors: string[] = []
  page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()) })
  await page.goto('/docs')
  const operation = (path: string) => page.locator('.opblock', { has: page.locator(`[data-path="${path}"]`) })
  await operation('/billing').waitFor()
  for (const path of ['/auth/refresh', '/auth/logout', '/me', '/billing']) {
    t.equal(await operation(path).locator('.authorization__btn').count(), 1, path)
  }
  for (const path of ['/auth/request-otp', '/auth/verify-otp']) {
    t.equal(await operation(path).locator('.authorization__btn').count(), 0, path)
  }
  t.equal(await page.locator('.opblock').count(), 6, 'pages are not listed')
  t.same(errors, [], 'its content security policy allows everything that it needs')
  t.match((await app.inject('/')).headers['content-security-policy'], /style-src 'self';/, 'the policy of the sign-in page does not allow inline styles')
})

t.test('the routes are guarded, and the inbox escapes text from strangers', async (t) => {
  const { app } = await startExample(t)
  t.equal((await app.inject('/me')).statusCode, 401)
  t.equal((await app.inject('/billing')).statusCode, 401)

  const email = "o'neil&co@example.com"
  const requested = await app.inject({ method: 'POST', url: '/auth/request-otp', payload: { email } })
  t.equal(requested.statusCode, 200)
  const { code } = (await app.inject('/inbox/emails')).json()[0]
  const { payload: html } = await app.inject('/inbox')
  t.match(html, 'o&#39;neil&#38;co@example.com')
  t.notMatch(html, email)

  const { access_token: token } = (await app.inject({ method: 'POST', url: '/auth/verify-otp', payload: { email, code } })).json()
  const headers = { authorization: `Bearer ${token}` }
  t.match((await app.inject({ url: '/me', headers })).json(), { email, isVerified: true })
  t.match((await app.inject({ url: '/billing', headers })).json(), { billedTo: email })
})
