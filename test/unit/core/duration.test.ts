import t from 'tap'
import { DAY, HOUR, MINUTE, SECOND, parseDuration } from '../../../src/core/duration.ts'

t.test('numbers are seconds, strings have a unit, and the result is in milliseconds', async (t) => {
  const lengths: Array<[unknown, number]> = [
    [0, 0], [1, SECOND], [60, MINUTE], [0.5, 500], [1.0004, SECOND], ['0s', 0], ['1s', SECOND], ['30s', 30 * SECOND], ['15m', 15 * MINUTE],
    ['15 m', 15 * MINUTE], ['12h', 12 * HOUR], ['7d', 7 * DAY], ['1.5h', 90 * MINUTE], ['1.25h', 75 * MINUTE], ['0.5d', 12 * HOUR], ['007s', 7 * SECOND]
  ]
  for (const [given, expected] of lengths) t.equal(parseDuration(given), expected, JSON.stringify(given))
  t.strictSame([SECOND, MINUTE, HOUR, DAY], [1000, 60 * SECOND, 60 * MINUTE, 24 * HOUR])
})

t.test('a value that is not a duration gives undefined', async (t) => {
  const others = [
    -1, NaN, Infinity, -Infinity, 1e306, `${'9'.repeat(400)}s`, '', ' ', '15', '15M', '15min', '15 minutes', 'm', '-1s', '+1s', '1e3s', '.5s', '1.s', '1,5s', '1s ', ' 1s', '1  s', '1s1m',
    '1w', '1ms', '1y', '１s', '1s\n', null, undefined, true, false, [], ['1s'], [1], {}, 1n, new Date(), () => 1
  ]
  for (const given of others) t.equal(parseDuration(given), undefined, String(given))
})
