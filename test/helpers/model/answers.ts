import type { Expected } from './state.ts'

const nothing = { cookies: [] as string[], sent: null }
/** The response that the model expects: status and code, the cookies that are set, and the email that is sent. */
export const refused = (status: number, code: string, extra: Partial<Expected> = {}): Expected =>
  ({ status, code: `OTP_AUTH_${code}`, ...nothing, ...extra })
export const wrong = (attemptsRemaining?: number) => refused(401, 'INVALID_CODE', attemptsRemaining === undefined ? {} : { attemptsRemaining })
export const done = (fields: object, cookies: string[] = []): Expected => ({ status: 200, ...nothing, ...fields, cookies })
