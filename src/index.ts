import fp from 'fastify-plugin'
import { otpAuth } from './plugin.ts'

export default fp(otpAuth, { fastify: '5.x', name: 'fastify-otp-auth' })

export type * from './option-types.ts'
export type * from './types.ts'
export type * from './storage/storage.ts'
