/** The `message` of successful responses. */
export const MESSAGES = { requested: 'If this address can receive a code, we have sent one', loggedOut: 'Logged out' }
