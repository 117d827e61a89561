import * as Config from "effect/Config"
import { SourceError } from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Credential from "../Credential.ts"
import * as ModelProfile from "../ModelProfile.ts"
import type { AzureO1Config } from "./model.ts"
import { durationProblem, problems } from "./problems.ts"

/** What an environment says, without what it leaves empty. */
type Said = ReadonlyMap<Variable, string>

/** The variables, and the field that each is. */
const variables = {
  AZURE_OPENAI_ENDPOINT: "endpoint",
  AZURE_OPENAI_API_KEY: "apiKey",
  AZURE_OPENAI_DEPLOYMENT: "deployment",
  AZURE_OPENAI_API_VERSION: "apiVersion",
  AZURE_OPENAI_MODEL: "profile",
  AZURE_OPENAI_API: "api",
  AZURE_OPENAI_STORE: "store",
  AZURE_OPENAI_HEAL: "heal",
  AZURE_OPENAI_CLOUD: "cloud",
  AZURE_OPENAI_SCOPE: "scope",
  AZURE_OPENAI_POLL_INTERVAL: "pollInterval",
  AZURE_OPENAI_CLOCK_HEADERS: "clocks.headers",
  AZURE_OPENAI_CLOCK_FIRST_BYTE: "clocks.firstByte",
  AZURE_OPENAI_CLOCK_FIRST: "clocks.first",
  AZURE_OPENAI_CLOCK_BYTE_IDLE: "clocks.byteIdle"
} as const

type Variable = keyof typeof variables

const names = Object.keys(variables) as ReadonlyArray<Variable>

/** What a variable that must be set is for. */
const required = {
  AZURE_OPENAI_ENDPOINT: "the resource, for example https://NAME.openai.azure.com",
  AZURE_OPENAI_API_KEY: "the key of the resource",
  AZURE_OPENAI_DEPLOYMENT: "the name that the deployment was given"
} as const

/** One way to read a variable: the value, or what it must be. */
type Reader<A> = (text: string) => Result.Result<A, string>

const oneOf = <const A extends string>(...allowed: ReadonlyArray<A>): Reader<A> => (text) => {
  const found = allowed.find((value) => value === text)
  return found === undefined
    ? Result.fail(`must be ${allowed.join(" or ")}, got ${JSON.stringify(text)}`)
    : Result.succeed(found)
}

const flag: Reader<boolean> = (text) =>
  /^(true|yes|on|1)$/i.test(text)
    ? Result.succeed(true)
    : /^(false|no|off|0)$/i.test(text)
    ? Result.succeed(false)
    : Result.fail(`must be true or false, got ${JSON.stringify(text)}`)

const duration: Reader<`${number} millis`> = (text) => {
  const problem = durationProblem(text as `${number} millis`) // only what is a duration gets by
  return problem === undefined ? Result.succeed(text as `${number} millis`) : Result.fail(problem)
}

const model: Reader<ModelProfile.ModelProfile> = (text) =>
  Result.fromNullishOr(
    ModelProfile.forModel(text),
    () =>
      `must be the name of a model: ${ModelProfile.known.map(({ name }) => name).join(", ")}, got ${
        JSON.stringify(text)
      }`
  )

/** Everything is read, and everything that is wrong is told. */
const read = (said: Said, credential: Credential.TokenCredential | undefined): Result.Result<AzureO1Config, string> => {
  const wrong: Array<readonly [Variable, string]> = []
  const optional = <A>(name: Variable, reader: Reader<A>): A | undefined => {
    const text = said.get(name)
    const result = text === undefined ? undefined : reader(text)
    if (result === undefined) return undefined
    if (Result.isSuccess(result)) return result.success
    wrong.push([name, result.failure])
    return undefined
  }
  // what is missing is told once, and stands for something good when the rest is looked at
  const needed = (name: keyof typeof required, instead: string): string => {
    const text = said.get(name)
    if (text === undefined) wrong.push([name, `is not set: ${required[name]}`])
    return text ?? instead
  }
  const version = said.get("AZURE_OPENAI_API_VERSION")
  const config: AzureO1Config = {
    endpoint: needed("AZURE_OPENAI_ENDPOINT", "https://NAME.openai.azure.com"),
    ...credential === undefined
      ? { apiKey: Redacted.make(needed("AZURE_OPENAI_API_KEY", "key")) }
      : { credential },
    deployment: needed("AZURE_OPENAI_DEPLOYMENT", "deployment"),
    apiVersion: version === "v1" ? undefined : version,
    profile: optional("AZURE_OPENAI_MODEL", model),
    api: optional("AZURE_OPENAI_API", oneOf("chat", "responses")),
    store: optional("AZURE_OPENAI_STORE", flag),
    heal: optional("AZURE_OPENAI_HEAL", flag),
    cloud: optional("AZURE_OPENAI_CLOUD", oneOf("public", "us-government", "china")),
    scope: said.get("AZURE_OPENAI_SCOPE"),
    pollInterval: optional("AZURE_OPENAI_POLL_INTERVAL", duration),
    clocks: {
      headers: optional("AZURE_OPENAI_CLOCK_HEADERS", duration),
      firstByte: optional("AZURE_OPENAI_CLOCK_FIRST_BYTE", duration),
      first: optional("AZURE_OPENAI_CLOCK_FIRST", duration),
      byteIdle: optional("AZURE_OPENAI_CLOCK_BYTE_IDLE", duration)
    }
  }
  for (const { field, problem } of problems(config)) {
    const name = names.find((name) => variables[name] === field)
    if (name !== undefined) wrong.push([name, problem])
  }
  const sentences = names.flatMap((name) =>
    wrong.filter(([wrong]) => wrong === name).map(([, problem]) => `${name} ${problem}.`)
  )
  return sentences.length === 0 ? Result.succeed(config) : Result.fail(sentences.join("\n"))
}

/** All that is wrong, a sentence in a line each, without the name of a class before it. */
class EnvironmentProblems extends SourceError {
  override toString(): string {
    return this.message
  }
}

/** The configuration that the environment describes. */
export const fromEnvironment = (credential?: Credential.TokenCredential): Config.Config<AzureO1Config> =>
  Config.all(names.map((name) => Config.option(Config.String(name)))).pipe(
    Config.mapEffect((values) => {
      const said = new Map(names.flatMap((name, i): ReadonlyArray<readonly [Variable, string]> => {
        const text = Option.getOrElse(values[i]!, () => "").trim()
        return text === "" ? [] : [[name, text]]
      }))
      return Effect.mapError(
        Effect.fromResult(read(said, credential)),
        (message) => new Config.ConfigError(new EnvironmentProblems({ message }))
      )
    })
  )
