import ts from 'typescript'

/** Interfaces whose properties are options. Each must be documented and, if it is optional, must have its default. */
const optionTypes = new Set([
  'OtpAuthOptions', 'SendLimits', 'FailureLimits', 'CookieOptions', 'RateLimit', 'RateLimitOptions', 'DrizzleStorageOptions',
  'MongodbStorageOptions', 'OtpAuthClientOptions'
])

/** Declarations that a user of the package reads. */
const ours = new RegExp('/fastify-otp-auth/dist/((augmentations|types/\\w+|options/types|client/(client|types)|conformance/index|' +
  'storage/(contract|mongodb/adapter|drizzle/(sqlite|pg|mysql)/adapter))\\.d\\.ts)$')

/**
 * Finds everything that an editor would show without an explanation: options, methods and exported functions without a comment
 * in the declarations, and optional options without their default.
 */
export function undocumented (program: ts.Program): string[] {
  const checker = program.getTypeChecker()
  const missing: string[] = []

  function check (node: ts.Node, owner: string): void {
    if (ts.isInterfaceDeclaration(node)) {
      node.members.forEach((member) => checkMember(member, node.name.text))
    } else if (ts.isFunctionDeclaration(node) && ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Export) {
      if (comment(node) === '') missing.push(`${owner}: ${node.name!.text}`)
    } else if (ts.isModuleDeclaration(node) || ts.isModuleBlock(node)) {
      ts.forEachChild(node, (child) => check(child, owner))
    }
  }

  function checkMember (member: ts.TypeElement, owner: string): void {
    const symbol = checker.getSymbolAtLocation(member.name!)
    const name = `${owner}.${symbol?.name}`
    const isMethod = ts.isMethodSignature(member) && !/^(SQLite|Postgres|MySql)Database$/.test(owner)
    const isOption = optionTypes.has(owner)
    if ((isMethod || isOption || /^Fastify(Instance|Request)$/.test(owner)) && symbol !== undefined) {
      const tags = symbol.getJsDocTags(checker)
      if (comment(member) === '' && tags.length === 0) missing.push(name)
      if (isOption && member.questionToken !== undefined && !tags.some((tag) => tag.name === 'default')) missing.push(`${name}: @default`)
    }
  }

  const comment = (node: ts.Node & { name?: ts.Node }) =>
    ts.displayPartsToString(checker.getSymbolAtLocation(node.name!)?.getDocumentationComment(checker))

  for (const source of program.getSourceFiles()) {
    const [, file] = ours.exec(source.fileName) ?? []
    if (file !== undefined) source.statements.forEach((statement) => check(statement, file))
  }
  return missing
}
