/** An address may hold `&` and `'`; what a stranger typed must not become markup. */
export const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
