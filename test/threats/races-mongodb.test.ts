import { raceOn } from '../helpers/races-server.ts'

// The test server in place of a real MongoDB is slow when many inserts conflict.
raceOn('mongodb', { parallel: 24, rounds: 100 })
