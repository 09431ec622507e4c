import { isIPv4, isIPv6 } from 'node:net'

/**
 * The network of an address, as far as one party is likely to hold it whole: IPv4 /24, IPv6 /56; an IPv4 address mapped
 * into IPv6 counts as IPv4. What is no address (a Unix socket) is one network.
 */
export function networkOf (ip: string): string {
  if (isIPv4(ip)) return networkOfIPv4(ip.split('.').map(Number))
  if (!isIPv6(ip)) return 'unknown'
  const groups = expandIPv6(ip)
  if (isMappedIPv4(groups)) return networkOfIPv4(groups.slice(6).flatMap((group) => [group >> 8, group & 0xff]))
  const high = groups.slice(0, 3).map((group) => group.toString(16))
  return `${high.join(':')}:${(groups[3]! & 0xff00).toString(16)}::/56`
}

function networkOfIPv4 (octets: number[]): string {
  return `${octets.slice(0, 3).join('.')}.0/24`
}

/** `::ffff:0:0/96`, whichever of its spellings a proxy has written. */
function isMappedIPv4 (groups: number[]): boolean {
  return groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)
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
