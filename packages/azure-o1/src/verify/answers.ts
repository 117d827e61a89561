import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import type { AzureO1Config } from "../AzureO1Config.ts"
import * as ModelProfile from "../ModelProfile.ts"
import { fail, pass, skipped, warn } from "./finding.ts"
import type { Finding, Options } from "./model.ts"
import type { Answered, Probe } from "./probe.ts"

/** The model that answered, where the service told. */
export const servedModel = (probe: Probe | undefined): string | undefined => {
  const model = probe?.completion?.model ?? probe?.answers.at(-1)?.headers["x-ms-served-model"]
  return model === "" ? undefined : model
}

/** Whether a model is the one that the configuration counts on. `source` says who told. */
export const model = (
  { heal = false, profile = ModelProfile.o1 }: AzureO1Config,
  served: string | undefined,
  source: "answer" | "management"
): Finding => {
  if (served === undefined) {
    return skipped(
      "model",
      `It is not known which model answers; the profile is ${profile.name}.`,
      "Ask for probe \"real\", or give access to the management plane."
    )
  }
  const details = { model: served, profile: profile.name, source }
  if (ModelProfile.serves(profile, served)) {
    return pass("model", `The model is ${served}, as the profile ${profile.name} has it.`, details)
  }
  const actual = ModelProfile.forModel(served)
  return warn(
    "model",
    `The model is ${served}, which is not ${profile.name}: Azure upgrades models under the name of the deployment.` +
      (heal ? " With heal, the client follows." : ""),
    actual === undefined
      ? `Set profile to what is known of ${served}, with ModelProfile.custom.`
      : `Set profile to that of ${actual.name}.`,
    details
  )
}

const dayOf = (millis: number): string => DateTime.formatIsoDateUtc(DateTime.makeUnsafe(millis))

/** A day on which a model is retired, and who says so. */
export interface Retirement {
  readonly model: string
  /** milliseconds since the epoch */
  readonly at: number
  readonly replacement: string | undefined
  readonly source: "profile" | "management"
  /** The day on which Microsoft's page said so, where that is the source. */
  readonly told?: string | undefined
}

/** The profile that the retirement is to be read from: a deployment that was upgraded has the date of its new model. */
export const effectiveProfile = (
  { profile = ModelProfile.o1 }: AzureO1Config,
  served: string | undefined
): ModelProfile.ModelProfile =>
  served === undefined || ModelProfile.serves(profile, served)
    ? profile
    : ModelProfile.forModel(served) ?? ModelProfile.custom(served)

/** What Microsoft's page says of the model that is there, or else of the one of the profile. */
export const expectedRetirement = (config: AzureO1Config, served: string | undefined): Retirement | undefined => {
  const profile = effectiveProfile(config, served)
  const own = served === undefined ? undefined : ModelProfile.retirementOf(served)
  // one of the profiles here is of several models, and has the day of the first of them
  const general = served !== undefined && ModelProfile.known.some((known) => known === profile)
  const known = own ?? (general ? undefined : profile.retirement)
  const at = Date.parse(known?.date ?? "")
  return known === undefined || Number.isNaN(at)
    ? undefined
    : { model: own === undefined ? profile.name : served!, at, ...known, source: "profile" }
}

/** How long the model will be there. The management plane knows better than a page. */
export const retirement = (
  model: string,
  expected: Retirement | undefined,
  managed: Retirement | undefined,
  options: {
    readonly now: number
    readonly warning: Duration.Duration
    /** The deployment has answered just now, so that it cannot be gone. */
    readonly answers: boolean
  }
): Finding => {
  const { answers, now, warning } = options
  const known = managed ?? expected
  if (known === undefined) {
    return skipped(
      "retirement",
      `It is not known when ${model} is retired.`,
      "Give access to the management plane, or look at Microsoft's page on model retirement."
    )
  }
  const { at, replacement = expected?.replacement, source, told } = known
  const date = dayOf(at)
  const days = Math.ceil((at - now) / Duration.toMillis("1 day"))
  const details = { model: known.model, date, replacement, source, told }
  const fix = `Deploy ${replacement ?? "a current model"}, and set profile for it.`
  const page = told === undefined ? "" : ` (Microsoft's page of ${told})`
  if (at <= now) {
    // Azure has moved these days before: a page cannot say that the model is gone
    if (managed !== undefined && !answers) {
      return fail("retirement", `${known.model} was retired on ${date}.`, fix, details)
    }
    const still = answers ? "it still answers" : "whether it still answers is not known"
    return warn(
      "retirement",
      `${known.model} was to be retired on ${date}${page}; ${still}, but any day may be the last.`,
      fix,
      details
    )
  }
  return at - now < Duration.toMillis(warning)
    ? warn(
      "retirement",
      `${known.model} is retired on ${date}${page}, in ${days} ${days === 1 ? "day" : "days"}.`,
      fix,
      details
    )
    : pass("retirement", `${known.model} is not retired before ${date}${page}.`, details)
}

const isEventStream = ({ headers, status }: Answered): boolean =>
  status === 200 && (headers["content-type"] ?? "").startsWith("text/event-stream")

/** How answers come. */
export const streaming = ({ profile = ModelProfile.o1 }: AzureO1Config, probe: Probe | undefined): Finding => {
  const details = { profile: profile.streaming }
  const instead = "The client gives out the whole answer at its end, as a stream, with progress meanwhile."
  if (profile.streaming === "no") {
    return pass("streaming", `${profile.name} does not stream on Azure. ${instead}`, details)
  }
  if (probe?.completion !== undefined) {
    if (probe.answers.some(isEventStream)) return pass("streaming", "The answer came as a stream.", details)
    return profile.streaming === "try"
      ? pass("streaming", `It does not stream, as ${profile.name} on Azure may. ${instead}`, details)
      : warn(
        "streaming",
        `${profile.name} streams, but this deployment does not. ${instead}`,
        "Check profile, and whether a gateway takes streams.",
        details
      )
  }
  return profile.streaming === "try"
    ? pass(
      "streaming",
      `${profile.name} streams or not, as the deployment has it (o1 on Azure does not). ${instead}`,
      details
    )
    : pass("streaming", `${profile.name} streams.`, details)
}

/** Whether the service tells what calls cost. */
export const usage = (probe: Probe | undefined): Finding => {
  const completion = probe?.completion
  if (completion === undefined) {
    return skipped("usage", "Only a real answer tells what it cost.", "Ask for probe \"real\".")
  }
  const { usage } = completion
  return usage === undefined
    ? warn(
      "usage",
      "The answer does not tell what it cost.",
      "Check whether a gateway takes usage out: budgets and quotas count with it."
    )
    : pass("usage", `The answer cost ${usage.input} tokens of input and ${usage.output} of output.`, { ...usage })
}

/** What a minute allows. */
export interface Limits {
  readonly requests?: number | undefined
  readonly tokens?: number | undefined
}

/** A limit of -1 or 0 means that nobody knows. */
const positive = (value: string | undefined): number | undefined => {
  const limit = Number(value ?? Number.NaN)
  return limit > 0 && Number.isFinite(limit) ? limit : undefined
}

/** What the headers tell of the limits. */
export const toldLimits = (probe: Probe | undefined): Limits => {
  const told = probe?.answers.toReversed().map(({ headers }) => ({
    requests: positive(headers["x-ratelimit-limit-requests"]),
    tokens: positive(headers["x-ratelimit-limit-tokens"])
  }))
  return told?.find(({ requests, tokens }) => requests !== undefined || tokens !== undefined) ?? {}
}

const inWords = ({ requests, tokens }: Limits): string =>
  [...requests === undefined ? [] : [`${requests} requests`], ...tokens === undefined ? [] : [`${tokens} tokens`]].join(
    ", "
  )

const below = (told: number | undefined, configured: number | undefined): boolean =>
  told !== undefined && configured !== undefined && told < configured

/** What the deployment lets through, and whether what is to be asked of it fits. */
export const limits = (
  told: Limits,
  configured: Limits,
  typical: Options["typicalRequest"]
): ReadonlyArray<Finding> => {
  const requests = told.requests ?? configured.requests
  const tokens = told.tokens ?? configured.tokens
  if (requests === undefined && tokens === undefined) {
    return [skipped("limits", "The service did not tell its limits.", "Give access to the management plane.")]
  }
  const details = {
    requestsPerMinute: requests,
    tokensPerMinute: tokens,
    configuredRequestsPerMinute: configured.requests,
    configuredTokensPerMinute: configured.tokens
  }
  const size = (typical?.promptTokens ?? 0) + (typical?.maxCompletionTokens ?? 0)
  const findings = [
    ...tokens !== undefined && size > tokens
      ? [warn(
        "limits",
        `A request of ${size} tokens is never admitted: a minute has ${tokens}, and Azure counts prompt and ` +
          "maxCompletionTokens when it admits.",
        "Lower maxCompletionTokens, or raise the deployment's capacity: waiting does not help.",
        { ...details, requestTokens: size }
      )]
      : [],
    ...below(told.requests, configured.requests) || below(told.tokens, configured.tokens)
      ? [warn(
        "limits",
        `A minute has ${inWords(told)}, which is less than what is configured (${inWords(configured)}).`,
        "Azure lowers limits for some hours under load: spread the calls until then.",
        details
      )]
      : []
  ]
  return findings.length > 0 ? findings : [pass("limits", `A minute has ${inWords({ requests, tokens })}.`, details)]
}

const skewWarning = Duration.toMillis("1 minute")
const skewFailure = Duration.toMillis("5 minutes")

/** How far this clock is behind the service's, in milliseconds, as far as it shows: the header has seconds, and was on its way. */
const skewOf = ({ headers, receivedAt, sentAt }: Answered): number | undefined => {
  const date = Date.parse(headers["date"] ?? "")
  if (Number.isNaN(date)) return undefined
  if (date > receivedAt) return date - receivedAt
  return date + 1000 < sentAt ? date + 1000 - sentAt : 0
}

/**
 * Whether this clock and the service's agree: tokens are good between two points in time. A request that was let in just now, the clock
 * does not keep out.
 */
export const clock = ({ credential }: AzureO1Config, probe: Probe | undefined, admitted: boolean): Finding => {
  const skew = probe?.answers.map(skewOf).findLast((skew) => skew !== undefined)
  if (skew === undefined) return skipped("clock", "No answer told the time.")
  const seconds = Math.round(Math.abs(skew) / 1000)
  const details = { skewSeconds: Math.round(skew / 1000) }
  const message = `This machine's clock is ${seconds} seconds ${skew > 0 ? "behind" : "ahead of"} the service's`
  const fix = "Have the clock set by NTP."
  if (Math.abs(skew) > skewFailure && credential !== undefined && !admitted) {
    return fail("clock", `${message}, so that tokens are not good when it takes them to be.`, fix, details)
  }
  return Math.abs(skew) > skewWarning
    ? warn("clock", `${message}.`, fix, details)
    : pass("clock", "This machine's clock agrees with the service's.", details)
}
