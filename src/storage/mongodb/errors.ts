export const DUPLICATE_KEY = 11000
export const DOCUMENT_VALIDATION_FAILURE = 121
export const NAMESPACE_NOT_FOUND = 26

/**
 * The code of an error that the server returned, or NaN. It does not use `instanceof`, because the application's driver may be
 * another copy than ours. It converts the code, because some client settings return it as an object.
 */
export function errorCode (error: unknown): number {
  return Number((error as { code?: unknown }).code)
}

/** @returns whether the document was inserted; `false` if its key exists */
export async function insertIfAbsent (insert: () => Promise<unknown>): Promise<boolean> {
  try {
    await insert()
    return true
  } catch (error) {
    if (errorCode(error) === DUPLICATE_KEY) return false
    throw error
  }
}
