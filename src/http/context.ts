import type { Services } from '../services/services.ts'
import type { Cookies } from './cookies.ts'

/** What the routes and guards work with: the services, and the cookies that carry tokens and IDs. */
export interface HttpContext {
  services: Services
  cookies: Cookies
}
