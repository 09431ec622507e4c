import type { Foretold } from './state.ts'

const nothing = { cookies: [] as string[], mail: null }
export const refused = (status: number, code: string, extra: Partial<Foretold> = {}): Foretold =>
  ({ status, code: `OTP_AUTH_${code}`, ...nothing, ...extra })
export const wrong = (attemptsRemaining?: number) => refused(401, 'INVALID_CODE', attemptsRemaining === undefined ? {} : { attemptsRemaining })
export const done = (fields: object, cookies: string[] = []): Foretold => ({ status: 200, ...nothing, ...fields, cookies })
