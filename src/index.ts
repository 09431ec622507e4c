import fp from 'fastify-plugin'
import { otpAuth } from './plugin.ts'

export default fp(otpAuth, { fastify: '5.x', name: 'fastify-otp-auth' })

export type {
  AccessStep, CleanupCount, Clock, CookieOptions, Duration, FailureBudget, Guard, IssuedTokens, OtpAuth, OtpAuthClaims,
  OtpAuthEvent, OtpAuthOptions, OtpAuthRequest, OtpAuthUser, OtpAuthUserBase, OtpMail, Random, RouteOptions, SendBudget,
  SessionInfo
} from './types.ts'
export type {
  BoundGuess, Budget, BudgetRefund, BudgetTake, BudgetWindow, Challenge, ExpiringKind, Failure, GuessOutcome, NewChallenge,
  OtpAuthStorage, Session, SessionRotation, UnboundGuess, UserRecord
} from './storage/storage.ts'
