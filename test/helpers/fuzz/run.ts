/**
 * Fuzzes an application over real sockets: `npm run fuzz`, `npm run fuzz -- 50000` for more requests with each seed, and
 * `npm run fuzz -- 20000 7` to repeat a seed that found something.
 */
import { randomInt } from 'node:crypto'
import { fuzz } from './campaign.ts'

const [requests = 20_000, ...given] = process.argv.slice(2).map(Number)
const seeds = given.length > 0 ? given : Array.from({ length: 3 }, () => randomInt(2 ** 31))

for (const seed of seeds) {
  const start = performance.now()
  const { faults, answers } = await fuzz({ seed, requests })
  const counts = [...answers].toSorted().map(([kind, count]) => `${kind}: ${count}`)
  console.log(`seed ${seed}: ${requests} requests in ${((performance.now() - start) / 1000).toFixed(0)} s\n  ${counts.join('\n  ')}`)
  for (const fault of faults) console.error(`  FAULT ${fault}`)
  if (faults.length > 0) process.exitCode = 1
}
