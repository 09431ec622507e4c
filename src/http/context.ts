import type { Services } from '../services/services.ts'
import type { Cookies } from './cookies.ts'

/** The services and the cookies that routes and guards use. */
export interface HttpContext {
  services: Services
  cookies: Cookies
}
