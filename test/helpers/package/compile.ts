import { dirname, join, sep } from 'node:path'
import ts from 'typescript'

/** Parsed files, kept for the next program, because the types of Fastify and Drizzle take longer to read than to check. */
const parsed = new Map<string, ts.SourceFile | undefined>()

export interface Compiled {
  program: ts.Program
  /** The errors of the compiler, one line each. */
  errors: string[]
  /** Writes the JavaScript of one source beside it. @returns its path */
  emit (source: string): string
}

/**
 * Compiles a consumer as `tsc -p` does, but does not check the declarations of other packages. Our own declarations are checked,
 * unlike with `skipLibCheck`: a type that cannot be resolved there would be an `any` in every application.
 */
export function compile (folder: string): Compiled {
  const file = join(folder, 'tsconfig.json')
  const { options, fileNames } = ts.parseJsonConfigFileContent(ts.readConfigFile(file, ts.sys.readFile).config, ts.sys, folder, {}, file)
  const host = ts.createCompilerHost({ ...options, noEmit: false })
  const { getSourceFile } = host
  host.getSourceFile = (name, settings, ...rest) => {
    const format = typeof settings === 'object' ? settings.impliedNodeFormat : undefined
    const key = `${format} ${name}`
    if (!parsed.has(key)) parsed.set(key, getSourceFile(name, settings, ...rest))
    return parsed.get(key)
  }
  const program = ts.createProgram(fileNames, { ...options, noEmit: false }, host)
  const ours = `${sep}node_modules${sep}fastify-otp-auth${sep}`.replaceAll(sep, '/')
  const checked = program.getSourceFiles().filter(({ fileName }) => fileNames.includes(fileName) || fileName.includes(ours))
  const diagnostics = [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...checked.flatMap((source) => [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)])
  ]
  return {
    program,
    errors: diagnostics.map((diagnostic) => ts.formatDiagnostic(diagnostic, host).trim().replaceAll(dirname(folder), '')),
    emit (source) {
      const written: string[] = []
      program.emit(program.getSourceFile(join(folder, source)), (name, text) => {
        ts.sys.writeFile(name, text)
        written.push(name)
      })
      return written.find((name) => /\.c?js$/.test(name))!
    }
  }
}
