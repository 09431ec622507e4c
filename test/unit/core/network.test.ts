import t from 'tap'
import { sourceOf, networkOf } from '../../../src/core/network.ts'

function same (t: Test, network: string, ips: string[]): void {
  for (const ip of ips) t.equal(networkOf(ip), network, ip)
}
type Test = typeof t

t.test('the network of an IPv4 address is its /24', async (t) => {
  same(t as Test, '192.0.2.0/24', ['192.0.2.0', '192.0.2.1', '192.0.2.255'])
  t.not(networkOf('192.0.3.1'), networkOf('192.0.2.1'))
  t.equal(networkOf('0.0.0.0'), '0.0.0.0/24')
  t.equal(networkOf('255.255.255.255'), '255.255.255.0/24')
})

t.test('an IPv4-mapped IPv6 address counts as its IPv4 address, in every notation', async (t) => {
  same(t as Test, '192.0.2.0/24', [
    '::ffff:192.0.2.77', '::FFFF:192.0.2.77', '::ffff:c000:24d', '::ffff:c000:024d', '0:0:0:0:0:ffff:192.0.2.77', '0:0:0:0:0:ffff:c000:24d',
    '0000:0000:0000:0000:0000:ffff:c000:024d', '::0:ffff:192.0.2.77'
  ])
  same(t as Test, '198.51.100.0/24', ['::ffff:198.51.100.7', '::ffff:c633:6407'])
  same(t as Test, '1:0:0:0::/56', ['1::ffff:198.51.100.7', '1::ffff:c633:6407'])
  t.not(networkOf('::ffff:198.51.100.1'), networkOf('::ffff:192.0.2.1'), 'mapped addresses of different networks stay different')
})

t.test('a port that a proxy adds to the address is ignored', async (t) => {
  same(t as Test, '192.0.2.0/24', ['192.0.2.1:4711', '192.0.2.2:1', '[::ffff:192.0.2.1]:443', '[192.0.2.3]'])
  same(t as Test, '2001:db8:1:ab00::/56', ['[2001:db8:1:abcd::1]:4711', '[2001:db8:1:abff::2]'])
  t.equal(sourceOf('192.0.2.1:4711'), '192.0.2.1')
  t.equal(sourceOf('203.100.113.217:4711'), '203.100.113.217')
  t.equal(sourceOf('[2001:db8:1:2:3:4:5:6]:65535'), '2001:db8:1:2::/64')
  t.equal(sourceOf('[2001:db8::1]:443'), '2001:db8:0:0::/64')
})

t.test('an IPv4 address behind the well-known prefix of NAT64 counts as that IPv4 address', async (t) => {
  same(t as Test, '192.0.2.0/24', ['64:ff9b::192.0.2.1', '64:ff9b::c000:202', '0064:ff9b:0:0:0:0:c000:203'])
  same(t as Test, '64:ff9b:1:0::/56', ['64:ff9b:1::192.0.2.1'])
  t.not(sourceOf('64:ff9b::192.0.2.1'), sourceOf('64:ff9b::192.0.2.2'))
})

t.test('the network of an IPv6 address is its /56', async (t) => {
  same(t as Test, '2001:db8:1:ab00::/56', [
    '2001:db8:1:abcd::1', '2001:db8:1:ab00::', '2001:db8:1:abff:ffff:ffff:ffff:ffff', '2001:0db8:0001:abcd:0:0:0:1', '2001:DB8:1:ABCD::1',
    '2001:db8:1:abcd::192.0.2.1', '2001:db8:1:abcd:1:2:192.0.2.1', '2001:db8:1:abcd::1%eth0', '2001:db8:1:ab01:2:3:4:5'
  ])
  t.not(networkOf('2001:db8:1:acff::1'), networkOf('2001:db8:1:abff::1'), 'the next /56')
  t.not(networkOf('2001:db8:2:abcd::1'), networkOf('2001:db8:1:abcd::1'))
})

t.test('"::" stands for zeros at its position', async (t) => {
  same(t as Test, '0:0:0:0::/56', ['::', '::1', '0:0:0:0:0:0:0:0', '::1.2.3.4', '::fffe:1.2.3.4', '0::0'])
  same(t as Test, '1:0:0:0::/56', ['1::', '1::8', '1:0:0:0:5:6:7:8', '1::5:6:7:8', '1:0:0::5:6:7:8'])
  same(t as Test, '0:0:0:400::/56', ['::4ff:5:6:7:8', '0:0:0:4ff::'])
  same(t as Test, '0:2:3:400::/56', ['::2:3:4ff:5:6:7:8', '0:2:3:4ff::'])
  same(t as Test, '1:2:0:400::/56', ['1:2::4ff:5:6:7:8', '1:2:0:4ff:5:6:7::'])
  same(t as Test, 'fe80:0:0:0::/56', ['fe80::1', 'fe80::1%eth0', 'fe80::1%1', 'fe80::1%192.0.2.1'])
})

t.test('a source is a single IPv4 address or an IPv6 /64', async (t) => {
  const sources: Record<string, string[]> = {
    '192.0.2.77': ['192.0.2.77', '::ffff:192.0.2.77', '::ffff:192.0.2.77%eth0', '::FFFF:c000:24d', '0:0:0:0:0:ffff:192.0.2.77'],
    '192.0.2.78': ['192.0.2.78'],
    '2001:db8:1:abcd::/64': ['2001:db8:1:abcd::1', '2001:0DB8:0001:ABCD:ffff:ffff:ffff:ffff', '2001:db8:1:abcd:1:2:192.0.2.1', '2001:db8:1:abcd::1%eth0'],
    '2001:db8:1:abce::/64': ['2001:db8:1:abce::1'],
    '2001:db8:1:0::/64': ['2001:db8:1::1'],
    '0:0:0:0::/64': ['::', '::1'],
    unknown: ['', 'unix', '1.2.3', '192.0.2.1:', ':443', '[]:443', '1::2::3']
  }
  for (const [source, ips] of Object.entries(sources)) {
    for (const ip of ips) t.equal(sourceOf(ip), source, ip)
  }
  t.equal(sourceOf(undefined as unknown as string), 'unknown', 'a Unix socket, or a closed socket')
})

t.test('all texts that are not an IP address share one network', async (t) => {
  same(t as Test, 'unknown', ['', 'unix', '/run/app.sock', 'localhost', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', ':::', '1::2::3', '12345::', '::g',
    '192.0.2.1:443:1', '192.0.2.256:443', '[::1', '[::1]443', 'x192.0.2.1:443', 'x[::1]:443', '[::1]:443x', '[::g]:443', '::ffff:256.1.1.1', '1:2:3:4:5:6:7:8:9', 'a, b'])
  t.equal(networkOf(undefined as unknown as string), 'unknown', 'a closed socket')
})
