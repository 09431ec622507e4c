const $ = (id) => document.getElementById(id)

/** The access token stays in this variable: what is in no storage of the browser cannot be read from there. */
let token = null
/** The login under way: the address and what `/auth/request-otp` answered. */
let login = null
let busy = false

// Talking to the server

/** Sends JSON to our own origin. An error answer is thrown with all of its fields. */
async function call (method, path, { body, bearer } = {}) {
  const headers = {}
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (bearer) headers.authorization = `Bearer ${bearer}`

  const response = await fetch(path, { method, headers, body: JSON.stringify(body) })
    .catch(() => { throw new Error('The server cannot be reached. Is it running?') })
  const answer = await response.json().catch(() => ({}))
  if (response.ok) return answer
  throw Object.assign(new Error(answer.detail ?? answer.message ?? `The server answered ${response.status}.`), answer)
}

const inSeconds = (seconds) => Date.now() + seconds * 1000

async function requestCode (email) {
  try {
    // The id of the request before, if any, gets its tries anew instead of a second request.
    const answer = await call('POST', '/auth/request-otp', { body: { email, request_id: login?.request_id } })
    login = { ...answer, email, resendAt: inSeconds(answer.resend_after) }
  } catch (error) {
    if (error.retryAfter === undefined) throw error
    // A code went to this address a moment ago: let it be typed while the wait for another one runs.
    login = { ...login, email, resendAt: inSeconds(error.retryAfter) }
    showCodeForm()
    throw error
  }
}

async function refresh () {
  keepToken(await call('POST', '/auth/refresh', { body: {} }))
}

function keepToken ({ access_token: accessToken, expires_in: expiresIn }) {
  token = { value: accessToken, expiresAt: inSeconds(expiresIn) }
}

async function loadProfile () {
  const user = await call('GET', '/me', { bearer: token.value })
  $('profile-email').textContent = user.email
  $('profile-verified').textContent = user.isVerified ? 'yes' : 'no'
  $('profile-id').textContent = user.id
  tick()
}

async function showProfile () {
  await loadProfile()
  show('profile')
}

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
  token = login = null
  show('address')
}

function showCodeForm () {
  const isLong = login.code_length === 13
  $('sent-to').textContent = login.email
  $('code-input').value = ''
  $('code-input').inputMode = isLong ? 'text' : 'numeric'
  $('code-hint').textContent = isLong ? '(13 letters and digits)' : login.code_length ? `(${login.code_length} digits)` : ''
  show('code')
}

const triesLeft = (left) => left === 0 ? 'No tries left: ask for a new code.' : left === 1 ? '1 try left.' : `${left} tries left.`

const clock = (milliseconds) => {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** Keeps both countdowns true. */
function tick () {
  const wait = (login?.resendAt ?? 0) - Date.now()
  $('resend').disabled = wait > 0
  $('resend').textContent = wait > 0 ? `New code in ${clock(wait)}` : 'Send a new code'

  const left = (token?.expiresAt ?? 0) - Date.now()
  $('token-expiry').textContent = left > 0 ? `expires in ${clock(left)}` : 'expired: refresh it'
}

// Acting

/** Runs one action at a time and shows what went wrong. */
async function act (work) {
  if (busy) return
  busy = true
  document.querySelector('main').setAttribute('aria-busy', 'true')
  $('error').textContent = $('notice').textContent = ''
  for (const input of document.querySelectorAll('input')) input.removeAttribute('aria-invalid')
  try {
    await work()
  } catch (error) {
    $('error').textContent = error.message
    const input = document.querySelector('section:not([hidden]) input')
    if (error.statusCode < 500 && error.retryAfter === undefined) input?.setAttribute('aria-invalid', 'true')
    input?.focus()
    input?.select()
  } finally {
    busy = false
    document.querySelector('main').removeAttribute('aria-busy')
  }
}

const onSubmit = (id, work) => $(id).addEventListener('submit', (event) => {
  event.preventDefault()
  act(work)
})
const onClick = (id, work) => $(id).addEventListener('click', () => act(work))

onSubmit('address-form', async () => {
  await requestCode($('email').value)
  showCodeForm()
})

onSubmit('code-form', async () => {
  const { email, request_id: requestId } = login
  try {
    keepToken(await call('POST', '/auth/verify-otp', { body: { email, code: $('code-input').value, request_id: requestId } }))
  } catch (error) {
    if (error.attemptsRemaining !== undefined) error.message += `\n${triesLeft(error.attemptsRemaining)}`
    throw error
  }
  login = null
  await showProfile()
})

onClick('resend', async () => {
  await requestCode(login.email)
  showCodeForm()
  $('notice').textContent = 'A new code is on its way.'
})

onClick('other-address', async () => showAddressForm())

onClick('refresh', async () => {
  try {
    await refresh()
    await loadProfile()
    $('notice').textContent = 'You have a new access token.'
  } catch (error) {
    // Signed out elsewhere, or away for too long.
    if (error.statusCode === 401) showAddressForm()
    throw error
  }
})

onClick('logout', async () => {
  await call('POST', '/auth/logout', { body: {}, bearer: token.value })
  showAddressForm()
  $('notice').textContent = 'You are signed out.'
})

// A reload loses the token; the cookie gets a new one, if there is a session.
setInterval(tick, 1000)
show('loading')
refresh().then(showProfile).catch(showAddressForm)
