import ts from 'typescript'

/** Interfaces of which each property is an option: documented, and with its default where it may be left out. */
const optionTypes = new Set([
  'OtpAuthOptions', 'SendBudget', 'FailureBudget', 'CookieOptions', 'RateLimit', 'RateLimitOptions', 'DrizzleStorageOptions',
  'MongodbStorageOptions', 'OtpAuthClientOptions'
])

/** Declarations that a host reads. */
const ours = new RegExp('/fastify-otp-auth/dist/((types|option-types|augmentations|client/(client|types)|' +
  'storage/(storage|mongodb|conformance|drizzle/(sqlite|pg|mysql)/adapter))\\.d\\.ts)$')

/**
 * What an editor would say nothing of: options and methods of this package without a comment in its declarations, options
 * without their default, exported functions.
 */
export function undocumented (program: ts.Program): string[] {
  const checker = program.getTypeChecker()
  const missing: string[] = []

  function look (node: ts.Node, owner: string): void {
    if (ts.isInterfaceDeclaration(node)) {
      node.members.forEach((member) => lookAtMember(member, node.name.text))
    } else if (ts.isFunctionDeclaration(node) && ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Export) {
      if (comment(node) === '') missing.push(`${owner}: ${node.name!.text}`)
    } else if (ts.isModuleDeclaration(node) || ts.isModuleBlock(node)) {
      ts.forEachChild(node, (child) => look(child, owner))
    }
  }

  function lookAtMember (member: ts.TypeElement, owner: string): void {
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
    if (file !== undefined) source.statements.forEach((statement) => look(statement, file))
  }
  return missing
}
