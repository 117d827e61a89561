/** What the programs with options have in common: values that are checked, and refusals of one sentence. */
import * as Result from "effect/Result"

class Refused extends Error {}

/** Ends the reading of the options with this sentence. */
export const refuse = (message: string): never => {
  throw new Refused(message)
}

/** The integer that an option gives; `undefined` without the option. */
export const integer = (
  name: string,
  text: string | undefined,
  least: number,
  largest: number
): number | undefined => {
  if (text === undefined) return undefined
  const n = Number(text)
  return /^\d+$/u.test(text) && n >= least && n <= largest
    ? n
    : refuse(`--${name} must be an integer from ${least} to ${largest}, got ${JSON.stringify(text)}.`)
}

/** Options that npm has taken for its own, because no `--` stood before them. */
const swallowed = (names: ReadonlyArray<string>, env: NodeJS.ProcessEnv): string | undefined =>
  names.find((name) => env[`npm_config_${name.replaceAll("-", "_")}`] !== undefined)

/**
 * The options of `npm run SCRIPT`, or in one sentence why they cannot be followed. `names` are those that npm takes for its own only where somebody
 * has forgotten the `--`.
 */
export const parsed = <A>(
  script: string,
  names: ReadonlyArray<string>,
  env: NodeJS.ProcessEnv,
  follow: () => A
): Result.Result<A, string> => {
  const kept = swallowed(names, env)
  if (kept !== undefined) {
    return Result.fail(`npm took --${kept} for its own. Put -- before it: npm run ${script} -- --${kept}`)
  }
  try {
    return Result.succeed(follow())
  } catch (error) {
    if (error instanceof Refused) return Result.fail(error.message)
    // the rest of what `parseArgs` says tells how to write a file that begins with a dash; not each has a full stop
    if (error instanceof Error && "code" in error) {
      return Result.fail(error.message.replace(/(?:\.\s.*|\.?)$/su, "."))
    }
    throw error
  }
}
