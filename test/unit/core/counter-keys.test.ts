import t from 'tap'
import { createCounterKeys } from '../../../src/core/counter-keys.ts'

const counterKeys = createCounterKeys('otp_auth')
const NETWORK = '192.0.2.0/24'

/** The keys that count emails, by mailbox. */
const mailboxKeys = (email: string) => [
  counterKeys.sendsToMailbox(email), counterKeys.reserveOfMailbox(email), counterKeys.releasesOfMailbox(email),
  counterKeys.sendsFromNetwork(email, NETWORK), counterKeys.sendsFromDevice(email, 'device')
]

t.test('each email has its own email hash in each instance', async (t) => {
  const addresses = ['v@x.io', 'v+1@x.io', 'v.x@gmail.com', 'vx@gmail.com', 'vx@googlemail.com', 'vx+1@gmail.com', 'v.x@x.io', 'vx@x.io']
  t.equal(new Set(addresses.map((email) => counterKeys.emailHash(email))).size, addresses.length)
  t.equal(counterKeys.emailHash('v@x.io'), createCounterKeys('otp_auth').emailHash('v@x.io'), 'the same at any time, because it contains no secret')
  t.not(counterKeys.emailHash('v@x.io'), createCounterKeys('admin').emailHash('v@x.io'))
})

t.test('every key has the same length, however long the email is', async (t) => {
  const long = `${'a'.repeat(64)}@${'x'.repeat(60)}.example`
  for (const key of [counterKeys.emailHash(long), ...mailboxKeys(long), counterKeys.failures(counterKeys.emailHash(long)), counterKeys.unboundAttempts('')]) {
    t.match(key, /^[\w-]{43}$/)
  }
})

t.test('emails that differ only in a tag are one mailbox, in every domain', async (t) => {
  for (const tagged of ['v+1@x.io', 'v+2@x.io', 'v+@x.io', 'v+a+b@x.io', 'v+a.b@x.io']) t.strictSame(mailboxKeys(tagged), mailboxKeys('v@x.io'), tagged)
  t.notSame(mailboxKeys('+v@x.io'), mailboxKeys('+w@x.io'), 'a plus sign at the start does not begin a tag')
  t.notSame(mailboxKeys('v+1@x.io'), mailboxKeys('v+1@y.io'), 'another domain')
  t.notSame(mailboxKeys('v@x.io'), mailboxKeys('w@x.io'), 'another name')
})

t.test('dots are ignored only at gmail.com and googlemail.com, and these two are one domain', async (t) => {
  for (const dotted of ['v.x@gmail.com', 'v.x+1@gmail.com', 'vx@googlemail.com', 'v.x@googlemail.com', 'v.x+a.b@googlemail.com']) {
    t.strictSame(mailboxKeys(dotted), mailboxKeys('vx@gmail.com'), dotted)
  }
  for (const domain of ['x.io', 'gmail.com.example', 'mail.gmail.com', 'notgmail.com']) {
    t.notSame(mailboxKeys(`v.x@${domain}`), mailboxKeys(`vx@${domain}`), domain)
  }
})

t.test('different kinds, networks, devices and instances never share a key', async (t) => {
  const keysOf = (name: string) => {
    const keys = createCounterKeys(name)
    return [
      keys.emailHash('v@x.io'), keys.sendsToMailbox('v@x.io'), keys.reserveOfMailbox('v@x.io'), keys.releasesOfMailbox('v@x.io'),
      keys.sendsFromNetwork('v@x.io', NETWORK), keys.sendsFromNetwork('v@x.io', '192.0.3.0/24'),
      keys.sendsFromDevice('v@x.io', 'one'), keys.sendsFromDevice('v@x.io', 'two'),
      keys.failures('v@x.io'), keys.failures('w@x.io'), keys.unboundAttempts('v@x.io'), keys.unboundAttempts('w@x.io'),
      keys.failuresOfDevice('v@x.io', 'one'), keys.failuresOfDevice('v@x.io', 'two'), keys.failuresOfDevice('w@x.io', 'one')
    ]
  }
  const all = ['otp_auth', 'admin', ''].flatMap(keysOf)
  t.equal(new Set(all).size, all.length)
})
