import { createOtpAuthClient } from '/client.js'

const $ = (id) => document.getElementById(id)
const main = document.querySelector('main')

const auth = createOtpAuthClient()
/** The login that is not finished: the email address, the length of the code, and when another code can be requested. */
let login = null
let busy = false

const secondsFromNow = (seconds) => Date.now() + seconds * 1000

// What the page shows

const titles = { loading: 'Sign in', address: 'Sign in', code: 'Enter your code', profile: 'You are signed in' }
const firstFocus = { address: 'email', code: 'code-input', profile: 'profile-title' }

function show (section) {
  for (const id of Object.keys(titles)) $(id).hidden = id !== section
  document.title = titles[section]
  updateCountdowns()
  if (firstFocus[section]) $(firstFocus[section]).focus()
}

function showAddressForm () {
  login = null
  // Clear the address, so that the next person at this browser does not see who was signed in.
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
  if (!response.ok) throw new Error(`Your profile could not be loaded: the server responded with status ${response.status}. Try again.`)
  const user = await response.json()
  $('profile-email').textContent = user.email
  $('profile-verified').textContent = user.isVerified ? 'yes' : 'no'
  $('profile-id').textContent = user.id
  login = null
  show('profile')
}

function showError (error) {
  // A validation error starts with the name of the field.
  const message = error.message.replace(/^body\/email/, 'The email address')
  const { attemptsRemaining } = error
  $('error').textContent = attemptsRemaining === undefined ? message : `${message}\n${attemptsLeft(attemptsRemaining)}`
  const input = document.querySelector('section:not([hidden]) input')
  if (error.status === 400 || error.status === 401) input?.setAttribute('aria-invalid', 'true')
  input?.focus()
  input?.select()
}

function attemptsLeft (count) {
  if (count === 0) return 'No attempts left. Request a new code.'
  return count === 1 ? '1 attempt left.' : `${count} attempts left.`
}

function formatTime (milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** Updates the time until another code can be requested, and the time until the access token expires. */
function updateCountdowns () {
  if (busy) return
  const wait = (login?.resendAt ?? 0) - Date.now()
  $('resend').disabled = wait > 0
  $('resend').textContent = wait > 0 ? `New code in ${formatTime(wait)}` : 'Send a new code'

  const left = (auth.session?.expiresAt ?? 0) - Date.now()
  $('token-expiry').textContent = left > 0 ? `expires in ${formatTime(left)}` : 'expired; the next request gets a new one'
}

// What the user can do

/** Runs one action at a time. Meanwhile the button shows that the action is running. An error is shown on the page. */
async function run (button, action) {
  if (busy) return
  busy = true
  main.setAttribute('aria-busy', 'true')
  $('error').textContent = $('notice').textContent = ''
  for (const input of document.querySelectorAll('input')) input.removeAttribute('aria-invalid')
  const label = button.textContent
  button.textContent = button.dataset.busy
  try {
    await action()
  } catch (error) {
    showError(error)
  } finally {
    busy = false
    main.removeAttribute('aria-busy')
    button.textContent = label
    updateCountdowns()
  }
}

const onSubmit = (id, action) => $(id).addEventListener('submit', (event) => {
  event.preventDefault()
  run(event.submitter, action)
})
const onClick = (id, action) => $(id).addEventListener('click', (event) => run(event.currentTarget, action))

async function requestCode (email) {
  try {
    const { resendAfter, codeLength } = await auth.requestOtp(email)
    login = { email, codeLength, resendAt: secondsFromNow(resendAfter) }
  } catch (error) {
    if (error.retryAfter === undefined) throw error
    // This address got a code a moment ago. Let the user enter that code while the cooldown runs.
    login = { email, codeLength: login?.codeLength, resendAt: secondsFromNow(error.retryAfter) }
    showCodeForm()
    throw error
  }
  showCodeForm()
}

onSubmit('address-form', () => requestCode($('email').value))

onSubmit('code-form', () => auth.verifyOtp($('code-input').value))

onClick('resend', async () => {
  await requestCode(login.email)
  $('notice').textContent = 'We sent you a new code.'
})

$('other-address').addEventListener('click', () => {
  $('error').textContent = $('notice').textContent = ''
  showAddressForm()
})

onClick('refresh', async () => {
  if (await auth.refresh()) $('notice').textContent = 'You have a new access token.'
})

onClick('logout', () => auth.logout())

// Called when a user signs in or out, in this tab or in another one.
auth.onChange((session) => {
  if (session !== null) return showProfile().catch(showError)
  if (!$('profile').hidden) $('notice').textContent = 'You are signed out.'
  showAddressForm()
})

setInterval(updateCountdowns, 1000)
show('loading')
// A page load loses the access token. If there is a session, the refresh cookie gets a new one.
auth.refresh().catch((error) => {
  showAddressForm()
  showError(error)
})
