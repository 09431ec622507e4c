import { isIPv4, isIPv6 } from 'node:net'

/**
 * The network of an address, as far as one party is likely to hold it whole: IPv4 /24, IPv6 /56; an IPv4 address mapped
 * into IPv6, or that came through a translator, counts as IPv4, and a port beside an address is left out. What is no address (a
 * Unix socket) is one network.
 */
export function networkOf (ip: string): string {
  const { octets, groups } = readAddress(ip)
  if (octets !== undefined) return `${octets.slice(0, 3).join('.')}.0/24`
  return groups === undefined ? 'unknown' : ipv6Network(groups, 0xff00, 56)
}

/**
 * The source of a request, as limits count it: all of an IPv4 address, and of IPv6 the /64, the smallest network that one
 * machine is given, within which it takes whatever addresses it likes. Mapped addresses and what is none count as they do for
 * {@link networkOf}.
 */
export function sourceOf (ip: string): string {
  const { octets, groups } = readAddress(ip)
  if (octets !== undefined) return octets.join('.')
  return groups === undefined ? 'unknown' : ipv6Network(groups, 0xffff, 64)
}

/** Four octets, or the eight groups of what is not IPv4, or neither. */
function readAddress (text: string): { octets?: number[], groups?: number[] } {
  const ip = withoutPort(text)
  if (isIPv4(ip)) return { octets: ip.split('.').map(Number) }
  if (!isIPv6(ip)) return {}
  const groups = expandIPv6(ip)
  return holdsIPv4(groups) ? { octets: groups.slice(6).flatMap((group) => [group >> 8, group & 0xff]) } : { groups }
}

/** Some proxies write the client's port into `X-Forwarded-For`: "192.0.2.1:4711", "[2001:db8::1]:4711". */
function withoutPort (text: string): string {
  return /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text)?.[1] ?? /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? text
}

/** @param mask of the fourth group: no network of ours ends elsewhere */
function ipv6Network (groups: number[], mask: number, length: number): string {
  const high = [...groups.slice(0, 3), groups[3]! & mask].map((group) => group.toString(16))
  return `${high.join(':')}::/${length}`
}

/** `::ffff:0:0/96`, in whatever spelling, and `64:ff9b::/96`, by which IPv4 comes through a translator (RFC 6052). */
function holdsIPv4 (groups: number[]): boolean {
  return ['0:0:0:0:0:ffff', '64:ff9b:0:0:0:0'].includes(groups.slice(0, 6).map((group) => group.toString(16)).join(':'))
}

/** The eight groups, without the zone; the dotted tail that an address may have is two of them. */
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
