import { isIPv4, isIPv6 } from 'node:net'

/**
 * The network of an address, as far as one party is likely to hold it whole: IPv4 /24, IPv6 /56; an IPv4 address mapped
 * into IPv6 counts as IPv4. What is no address (a Unix socket) is one network.
 */
export function networkOf (ip: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1] ?? ip
  if (isIPv4(mapped)) return `${mapped.split('.').slice(0, 3).join('.')}.0/24`
  if (!isIPv6(mapped)) return 'unknown'
  const groups = expandIPv6(mapped)
  const high = groups.slice(0, 3).map((group) => group.toString(16))
  return `${high.join(':')}:${(groups[3]! & 0xff00).toString(16)}::/56`
}

/** The first four of the eight groups at least; the zone and an embedded IPv4 tail do not reach them. */
function expandIPv6 (ip: string): number[] {
  const [head = '', tail] = ip.replace(/%.*$/, '').replace(/\d+\.\d+\.\d+\.\d+$/, '0:0').split('::')
  const read = (part: string) => part === '' ? [] : part.split(':').map((group) => parseInt(group, 16))
  const start = read(head)
  const end = read(tail ?? '')
  return [...start, ...Array<number>(8 - start.length - end.length).fill(0), ...end]
}
