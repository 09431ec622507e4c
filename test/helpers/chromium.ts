import { chromium } from 'playwright-core'
import type { Test } from 'tap'
import { chromiumPath } from './requirements.ts'

/** A headless Chromium with its own profile, closed when the test ends. */
export async function openChromium (t: Test) {
  const browser = await chromium.launch({
    executablePath: chromiumPath,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync']
  })
  t.teardown(() => browser.close())
  return browser
}
