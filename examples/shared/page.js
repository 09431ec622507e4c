import { createOtpAuthClient } from '/client.js'

const $ = (id) => document.getElementById(id)
const main = document.querySelector('main')

const auth = createOtpAuthClient()
/** The login under way: the address, when another code can be asked for, and the length of the one that was sent. */
let login = null
let busy = false

const inSeconds = (seconds) => Date.now() + seconds * 1000

// Showing

const titles = { loading: 'Sign in', address: 'Sign in', code: 'Enter your code', profile: 'You are signed in' }
const firstFocus = { address: 'email', code: 'code-input', profile: 'profile-title' }

function show (state) {
  for (const id of Object.keys(titles)) $(id).hidden = id !== state
  document.title = titles[state]
  tick()
  if (firstFocus[state]) $(firstFocus[state]).focus()
}

function showAddressForm () {
  login = null
  // Whoever comes next to this browser need not see who was here.
  $('email').value = ''
  show('address')
}

function showCodeForm () {
  const isLong = login.codeLength === 13
  $('sent-to').textContent = login.email
  $('code-input').value = ''
  $('code-input').inputMode = isLong ? 'text' : 'numeric'
  $('code-hint').textContent = isLong ? '(13 letters and digits)' : login.codeLength ? `(${login.codeLength} digits)` : ''
  show('code')
}

async function showProfile () {
  const response = await auth.fetch('/me')
  if (!response.ok) throw new Error(`The server answered ${response.status}.`)
  const user = await response.json()
  $('profile-email').textContent = user.email
  $('profile-verified').textContent = user.isVerified ? 'yes' : 'no'
  $('profile-id').textContent = user.id
  login = null
  show('profile')
}

function showError (error) {
  const left = error.attemptsRemaining
  const message = error.message.replace(/^body\/email/, 'The address')
  $('error').textContent = left === undefined ? message : `${message}\n${triesLeft(left)}`
  const input = document.querySelector('section:not([hidden]) input')
  if (error.status === 400 || error.status === 401) input?.setAttribute('aria-invalid', 'true')
  input?.focus()
  input?.select()
}

const triesLeft = (left) => left === 0 ? 'No tries left: ask for a new code.' : left === 1 ? '1 try left.' : `${left} tries left.`

const clock = (milliseconds) => {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** Keeps both countdowns true. */
function tick () {
  if (busy) return
  const wait = (login?.resendAt ?? 0) - Date.now()
  $('resend').disabled = wait > 0
  $('resend').textContent = wait > 0 ? `New code in ${clock(wait)}` : 'Send a new code'

  const left = (auth.session?.expiresAt ?? 0) - Date.now()
  $('token-expiry').textContent = left > 0 ? `expires in ${clock(left)}` : 'expired: the next request gets a new one'
}

// Acting

/** Runs one action at a time, says on its button that it runs, and shows what went wrong. */
async function act (button, work) {
  if (busy) return
  busy = true
  main.setAttribute('aria-busy', 'true')
  $('error').textContent = $('notice').textContent = ''
  for (const input of document.querySelectorAll('input')) input.removeAttribute('aria-invalid')
  const label = button.textContent
  button.textContent = button.dataset.busy
  try {
    await work()
  } catch (error) {
    showError(error)
  } finally {
    busy = false
    main.removeAttribute('aria-busy')
    button.textContent = label
    tick()
  }
}

const onSubmit = (id, work) => $(id).addEventListener('submit', (event) => {
  event.preventDefault()
  act(event.submitter, work)
})
const onClick = (id, work) => $(id).addEventListener('click', (event) => act(event.currentTarget, work))

async function askForCode (email) {
  try {
    const { resendAfter, codeLength } = await auth.requestOtp(email)
    login = { email, codeLength, resendAt: inSeconds(resendAfter) }
  } catch (error) {
    if (error.retryAfter === undefined) throw error
    // A code went to this address a moment ago: let it be typed while the wait for another one runs.
    login = { codeLength: login?.codeLength, email, resendAt: inSeconds(error.retryAfter) }
    showCodeForm()
    throw error
  }
  showCodeForm()
}

onSubmit('address-form', () => askForCode($('email').value))

onSubmit('code-form', () => auth.verifyOtp($('code-input').value))

onClick('resend', async () => {
  await askForCode(login.email)
  $('notice').textContent = 'A new code is on its way.'
})

$('other-address').addEventListener('click', () => {
  $('error').textContent = $('notice').textContent = ''
  showAddressForm()
})

onClick('refresh', async () => {
  if (await auth.refresh()) $('notice').textContent = 'You have a new access token.'
})

onClick('logout', () => auth.logout())

// Whoever signs in or out, here or in another tab, and whoever it was before.
auth.onChange((session) => {
  if (session !== null) return showProfile().catch(showError)
  if (!$('profile').hidden) $('notice').textContent = 'You are signed out.'
  showAddressForm()
})

// A reload loses the access token; the cookie gets a new one, if there is a session.
setInterval(tick, 1000)
show('loading')
auth.refresh().catch((error) => {
  showAddressForm()
  showError(error)
})
