import type { Foretold } from './state.ts'

const nothing = { cookies: [] as string[], mail: null }
/** What the model says that the application answers: its status and code, the cookies that it sets, the mail that goes out. */
export const refused = (status: number, code: string, extra: Partial<Foretold> = {}): Foretold =>
  ({ status, code: `OTP_AUTH_${code}`, ...nothing, ...extra })
export const wrong = (attemptsRemaining?: number) => refused(401, 'INVALID_CODE', attemptsRemaining === undefined ? {} : { attemptsRemaining })
export const done = (fields: object, cookies: string[] = []): Foretold => ({ status: 200, ...nothing, ...fields, cookies })
