import t from 'tap'
import { createCounterKeys } from '../../../src/core/counter-keys.ts'

const counterKeys = createCounterKeys('otp_auth')
const NETWORK = '192.0.2.0/24'

/** The keys that count mails: by mailbox. */
const mailKeys = (email: string) => [
  counterKeys.sendsToMailbox(email), counterKeys.reserveOfMailbox(email), counterKeys.refundsToMailbox(email),
  counterKeys.sendsFromNetwork(email, NETWORK), counterKeys.sendsToDevice(email, 'device')
]

t.test('a subject is one address of one instance, and no two addresses share it', async (t) => {
  const addresses = ['v@x.io', 'v+1@x.io', 'v.x@gmail.com', 'vx@gmail.com', 'vx@googlemail.com', 'vx+1@gmail.com', 'v.x@x.io', 'vx@x.io']
  t.equal(new Set(addresses.map((email) => counterKeys.emailHash(email))).size, addresses.length)
  t.equal(counterKeys.emailHash('v@x.io'), createCounterKeys('otp_auth').emailHash('v@x.io'), 'the same at any time: no key is in it')
  t.not(counterKeys.emailHash('v@x.io'), createCounterKeys('admin').emailHash('v@x.io'))
})

t.test('every key is of one length, however long the address', async (t) => {
  const long = `${'a'.repeat(64)}@${'x'.repeat(60)}.example`
  for (const key of [counterKeys.emailHash(long), ...mailKeys(long), counterKeys.failures(counterKeys.emailHash(long)), counterKeys.unboundAttempts('')]) {
    t.match(key, /^[\w-]{43}$/)
  }
})

t.test('tags lead to one mailbox, anywhere', async (t) => {
  for (const tagged of ['v+1@x.io', 'v+2@x.io', 'v+@x.io', 'v+a+b@x.io', 'v+a.b@x.io']) t.strictSame(mailKeys(tagged), mailKeys('v@x.io'), tagged)
  t.notSame(mailKeys('+v@x.io'), mailKeys('+w@x.io'), 'a plus sign at the start is no tag')
  t.notSame(mailKeys('v+1@x.io'), mailKeys('v+1@y.io'), 'another domain')
  t.notSame(mailKeys('v@x.io'), mailKeys('w@x.io'), 'another name')
})

t.test('dots lead to one mailbox at Gmail, under both of its names, and nowhere else', async (t) => {
  for (const dotted of ['v.x@gmail.com', 'v.x+1@gmail.com', 'vx@googlemail.com', 'v.x@googlemail.com', 'v.x+a.b@googlemail.com']) {
    t.strictSame(mailKeys(dotted), mailKeys('vx@gmail.com'), dotted)
  }
  for (const domain of ['x.io', 'gmail.com.example', 'mail.gmail.com', 'notgmail.com']) {
    t.notSame(mailKeys(`v.x@${domain}`), mailKeys(`vx@${domain}`), domain)
  }
})

t.test('keys of different kinds, networks, devices and instances never meet', async (t) => {
  const keysOf = (name: string) => {
    const ring = createCounterKeys(name)
    return [
      ring.emailHash('v@x.io'), ring.sendsToMailbox('v@x.io'), ring.reserveOfMailbox('v@x.io'), ring.refundsToMailbox('v@x.io'),
      ring.sendsFromNetwork('v@x.io', NETWORK), ring.sendsFromNetwork('v@x.io', '192.0.3.0/24'),
      ring.sendsToDevice('v@x.io', 'one'), ring.sendsToDevice('v@x.io', 'two'),
      ring.failures('v@x.io'), ring.failures('w@x.io'), ring.unboundAttempts('v@x.io'), ring.unboundAttempts('w@x.io'),
      ring.failuresOfDevice('v@x.io', 'one'), ring.failuresOfDevice('v@x.io', 'two'), ring.failuresOfDevice('w@x.io', 'one')
    ]
  }
  const all = ['otp_auth', 'admin', ''].flatMap(keysOf)
  t.equal(new Set(all).size, all.length)
})

t.test('keys are the same in every version: another spelling would forget every budget and end every code', async (t) => {
  const email = 'v.x+tag@gmail.com'
  t.strictSame([
    counterKeys.emailHash(email), ...mailKeys(email), counterKeys.failures('emailHash'), counterKeys.failuresOfDevice('emailHash', 'device'), counterKeys.unboundAttempts('emailHash')
  ], [
    '-c03WUYv6toGRH3vSURJr4gt-WgILwqwDPTzU2gat44', 'eJs2ZO6FXal18yx8qfqEq7h5JvdQQb2l2wjw3LEU8pU',
    'TZZyONXZcIXgQFdICYZLkTAVEBPz7COx5iKZXO3IWxA', 'dvH6ZLLLWvMk2p45SISNEwVV_A0PeBPz5DqXpAWRWGg',
    'v1nonPS3bZhMoyKxy2giVQSWP0BZuSBPPKCXPggHonw', 'CztLHYhzrOOXcl19N87gz1fwvBn0cVxfPWnYcOCDfe0',
    'S8AtxTJfhFksQ0Px6r-BgvY8yggVnYxcgwKQjYPnT1Q', 'qiq3K-A4lEHUl8FI2Sp3couLLhndyeISqOxxH8OPH44',
    'fI-N5UWnnXpweZJxPHUmtVM_wRKD1AcF9oprERifKC0'
  ])
})
