import { raceOn } from '../helpers/races-server.ts'

// The server that stands in for a genuine one is slow where many inserts collide.
raceOn('mongodb', { parallel: 24, rounds: 100 })
