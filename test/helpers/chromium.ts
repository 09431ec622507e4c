import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import type { Test } from 'tap'

const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'

/** A headless Chromium with its own profile, closed when the test ends. Without Chromium the test fails; it is never skipped. */
export async function openChromium (t: Test) {
  if (!existsSync(executablePath)) {
    throw new Error(`No Chromium at ${executablePath}: install the Debian package "chromium", or set CHROMIUM_PATH to yours`)
  }
  const browser = await chromium.launch({
    executablePath,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync']
  })
  t.teardown(() => browser.close())
  return browser
}
