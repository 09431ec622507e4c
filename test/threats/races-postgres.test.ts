import { raceOn } from '../helpers/races-server.ts'

raceOn('pg')
