/** One of the four routes. */
export type RouteName = 'requestOtp' | 'verifyOtp' | 'refresh' | 'logout'
