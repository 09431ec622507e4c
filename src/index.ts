import fp from 'fastify-plugin'
import { otpAuth } from './plugin.ts'

export default fp(otpAuth, { fastify: '5.x', name: 'fastify-otp-auth' })

export type { OtpAuthErrorCode } from './errors.ts'
export type * from './options/types.ts'
export type * from './storage/contract.ts'
export type * from './types/decorators.ts'
export type * from './types/events.ts'
export type * from './types/routes.ts'
export type * from './types/user.ts'
