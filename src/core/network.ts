import { isIPv4, isIPv6 } from 'node:net'

/**
 * The network of an address: the largest block that one party is likely to own, an IPv4 /24 or an IPv6 /56. IPv4-mapped
 * IPv6 addresses and NAT64 addresses count as IPv4. A port after the address is ignored. Everything that is not an address,
 * such as a Unix socket, counts as one network.
 */
export function networkOf (ip: string): string {
  const { octets, groups } = readAddress(ip)
  if (octets !== undefined) return `${octets.slice(0, 3).join('.')}.0/24`
  return groups === undefined ? 'unknown' : ipv6Network(groups, 0xff00, 56)
}

/**
 * The source of a request, as the IP rate limits count it: the whole IPv4 address, or the /64 of an IPv6 address. A /64 is
 * the smallest network that one machine gets, and the machine can use any address in it. Mapped addresses, ports and other
 * text are treated as in {@link networkOf}.
 */
export function sourceOf (ip: string): string {
  const { octets, groups } = readAddress(ip)
  if (octets !== undefined) return octets.join('.')
  return groups === undefined ? 'unknown' : ipv6Network(groups, 0xffff, 64)
}

/** Four octets (IPv4), eight groups (IPv6), or neither. */
function readAddress (text: string): { octets?: number[], groups?: number[] } {
  const ip = withoutPort(text)
  if (isIPv4(ip)) return { octets: ip.split('.').map(Number) }
  if (!isIPv6(ip)) return {}
  const groups = expandIPv6(ip)
  return holdsIPv4(groups) ? { octets: groups.slice(6).flatMap((group) => [group >> 8, group & 0xff]) } : { groups }
}

/** Some proxies add the client's port to `X-Forwarded-For`: "192.0.2.1:4711", "[2001:db8::1]:4711". */
function withoutPort (text: string): string {
  return /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text)?.[1] ?? /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? text
}

/** @param mask for the fourth group, in which both prefix lengths end */
function ipv6Network (groups: number[], mask: number, length: number): string {
  const high = [...groups.slice(0, 3), groups[3]! & mask].map((group) => group.toString(16))
  return `${high.join(':')}::/${length}`
}

/** Whether the address holds an IPv4 address: `::ffff:0:0/96` (mapped) or `64:ff9b::/96` (NAT64, RFC 6052). */
function holdsIPv4 (groups: number[]): boolean {
  return ['0:0:0:0:0:ffff', '64:ff9b:0:0:0:0'].includes(groups.slice(0, 6).map((group) => group.toString(16)).join(':'))
}

/** The eight groups without the zone. A dotted IPv4 tail makes up two of them. */
function expandIPv6 (ip: string): number[] {
  const [head = '', tail = ''] = ip.replace(/%.*$/, '').replace(/\d+\.\d+\.\d+\.\d+$/, asGroups).split('::')
  const start = readGroups(head)
  const end = readGroups(tail)
  return [...start, ...Array<number>(8 - start.length - end.length).fill(0), ...end]
}

function readGroups (part: string): number[] {
  return part === '' ? [] : part.split(':').map((group) => parseInt(group, 16))
}

function asGroups (dotted: string): string {
  const [a, b, c, d] = dotted.split('.').map(Number)
  return [a! * 256 + b!, c! * 256 + d!].map((group) => group.toString(16)).join(':')
}
