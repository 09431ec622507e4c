/** Escapes text for HTML. An email address may contain `&` and `'`, and text from a stranger must not become markup. */
export const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
