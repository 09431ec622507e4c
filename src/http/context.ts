import type { Flow } from '../flows/flow.ts'
import type { Cookies } from './cookies.ts'

/** What the routes and decorators translate between: the flows, and the cookies that carry what they hand out. */
export interface HttpContext {
  flow: Flow
  cookies: Cookies
}
