/**
 * A deployment's configuration, verified before it is relied on.
 *
 * `verifyDeployment` asks what can be asked in a few seconds. Its report says for each check what was found and what to do
 * about it. It never fails and never hangs: if a check finds nothing out, that is a finding as well. `layer` is the same as a
 * condition of starting.
 *
 * The cheap probe is one request that the deployment has to refuse. It costs no tokens, but it counts as a request, and one
 * unit of o1's capacity has one request in a minute. No finding holds a key or token.
 *
 * **Example** (A misspelt deployment)
 *
 * ```ts import.meta.vitest
 * import { ModelProfile, verifyDeployment } from "@effect-resilience/azure-o1"
 * import * as AzureO1Node from "@effect-resilience/azure-o1/node"
 * import { FakeAzure } from "@effect-resilience/azure-o1/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const azure = yield* FakeAzure
 *   const report = yield* verifyDeployment({ ...azure.config, deployment: "01", profile: ModelProfile.gpt51 })
 *   return report.findings.filter(({ status }) => status === "fail").map(({ check, message }) => `${check}: ${message}`)
 * })
 *
 * const live = Effect.provide(program, [FakeAzure.layer(), AzureO1Node.layerHttpClient])
 * await Effect.runPromise(live) // => ['deployment: There is no deployment "01".']
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { AzureO1Config } from "./AzureO1Config.ts"
import { secretsOf } from "./config/headers.ts"
import { access } from "./verify/access.ts"
import * as answers from "./verify/answers.ts"
import * as configuration from "./verify/configuration.ts"
import { describe, fail, skipped, toReport } from "./verify/finding.ts"
import * as text from "./verify/format.ts"
import * as managed from "./verify/managed.ts"
import * as management from "./verify/management.ts"
import type { Finding, Options, Report } from "./verify/model.ts"
import { Network } from "./verify/network.ts"
import * as probes from "./verify/probe.ts"
import { look, notLooked, reach } from "./verify/reach.ts"

export { Check, Finding, type Management, type Options, Report, Status } from "./verify/model.ts"
export { type Certificate, Network, NetworkFailure } from "./verify/network.ts"

/** The facts, before anything is judged. */
interface Facts {
  readonly steps: Effect.Success<ReturnType<typeof look>>
  readonly probe: probes.Probe | undefined
  readonly managed: managed.Managed | undefined
  readonly now: number
}

/** Asks everybody at once, each within the limit. */
const gather = Effect.fnUntraced(function*(config: AzureO1Config, options: Options, secrets: Set<string>) {
  const client = yield* HttpClient.HttpClient
  const network = yield* Network
  const { probe: kind = "cheap" } = options
  const limit = Duration.fromInputUnsafe(options.timeout ?? (kind === "real" ? "2 minutes" : "30 seconds"))
  const credential = config.credential && probes.remembering(config.credential, secrets)
  const { management: plane } = options
  const facts = yield* Effect.all({
    steps: network === undefined ? Effect.succeed(notLooked) : look(network, config.endpoint, limit),
    probe: kind === "none" ? Effect.undefined : probes.probe(kind, { ...config, credential }, client, limit),
    managed: plane === undefined ? Effect.undefined : management.read(plane, config, client, limit, secrets)
  }, { concurrency: "unbounded" })
  return { ...facts, now: yield* Clock.currentTimeMillis }
})

const judge = (config: AzureO1Config, options: Options, facts: Facts): ReadonlyArray<Finding> => {
  const { managed: plane, now, probe, steps } = facts
  const deployment = plane && Result.getOrUndefined(plane.deployment)
  const models = plane && Result.getOrUndefined(plane.models)
  const served = answers.servedModel(probe)
  const deployed = managed.deployedModel(deployment)
  const entered = access(config, probe, "No probe was asked for.")
  const admitted = entered.some(({ check, status }) => check === "auth" && status === "pass")
  return [
    ...configuration.advice(config),
    configuration.endpoint(config),
    ...reach(config.endpoint, steps, probe, now),
    ...entered,
    ...served === undefined && deployed !== undefined ? [] : [answers.model(config, served, "answer")],
    ...deployed === undefined ? [] : [answers.model(config, deployed, "management")],
    answers.retirement(
      served ?? deployed ?? answers.effectiveProfile(config, undefined).name,
      answers.expectedRetirement(config, served ?? deployed),
      managed.plannedRetirement(deployment, models ?? []),
      {
        now,
        warning: Duration.fromInputUnsafe(options.retirementWarning ?? "90 days"),
        answers: probe?.completion !== undefined
      }
    ),
    answers.streaming(config, probe),
    answers.usage(probe),
    ...answers.limits(answers.toldLimits(probe), managed.configuredLimits(deployment), options.typicalRequest),
    answers.clock(config, probe, admitted),
    ...plane === undefined
      ? [skipped("management", "The management plane was not asked.", "Give access to it with the option management.")]
      : managed.findings(plane, config)
  ]
}

const run = (
  config: AzureO1Config,
  options: Options,
  secrets: Set<string>
): Effect.Effect<Report, never, HttpClient.HttpClient> => {
  for (const secret of [config.apiKey, options.management?.token]) {
    if (secret !== undefined) secrets.add(Redacted.value(secret))
  }
  for (const secret of secretsOf(config)) secrets.add(secret)
  const problems = configuration.problems(config, options)
  return problems.length > 0
    ? Effect.succeed(
      toReport([...problems, skipped("deployment", "Nothing was asked, for the configuration is not valid.")], secrets)
    )
    : Effect.map(gather(config, options, secrets), (facts) => toReport(judge(config, options, facts), secrets))
}

/**
 * Verifies a deployment's configuration. It succeeds with a report whatever is found, within the limit of `timeout`; a problem
 * of the configuration or of the options is a finding too.
 *
 * @category verification
 * @since 0.1.0
 */
export const verifyDeployment = (
  config: AzureO1Config,
  options: Options = {}
): Effect.Effect<Report, never, HttpClient.HttpClient> =>
  Effect.suspend(() => {
    const secrets = new Set<string>()
    return Effect.suspend(() => run(config, options, secrets)).pipe(
      Effect.catchDefect((defect) => {
        const fix = "Check what was given as configuration and options; this should not happen."
        return Effect.succeed(toReport([fail("config", `Verification broke: ${describe(defect)}.`, fix)], secrets))
      })
    )
  }).pipe(Effect.withSpan("AzureO1.verify"))

/**
 * The deployment cannot be relied on: a check has failed.
 *
 * @category errors
 * @since 0.1.0
 */
export class DeploymentUnfit extends Data.TaggedError("DeploymentUnfit")<{
  readonly deployment: string
  readonly report: Report
}> {
  override get message(): string {
    const failed = this.report.findings.filter(({ status }) => status === "fail")
    return [
      `The deployment "${this.deployment}" cannot be relied on:`,
      ...failed.map(({ check, fix, message }) => `- ${check}: ${message} ${fix}`)
    ].join("\n")
  }
}

/**
 * A condition of starting: it fails with `DeploymentUnfit` if a check has failed, and logs what is only a warning.
 *
 * **Example** (A client of a deployment that was verified)
 *
 * ```ts
 * import { AzureO1, AzureO1Config, Verify } from "@effect-resilience/azure-o1"
 * import * as AzureO1Node from "@effect-resilience/azure-o1/node"
 * import { Effect, Layer } from "effect"
 *
 * export const layer = Layer.unwrap(
 *   Effect.map(AzureO1Config.config, (config) => Layer.provide(AzureO1.layer(config), Verify.layer(config)))
 * ).pipe(Layer.provide([AzureO1Node.layerHttpClient, AzureO1Node.layerNetwork]))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  config: AzureO1Config,
  options?: Options
): Layer.Layer<never, DeploymentUnfit, HttpClient.HttpClient> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const report = yield* verifyDeployment(config, options)
    if (!report.ok) return yield* new DeploymentUnfit({ deployment: config.deployment, report })
    for (const { check, fix, message, status } of report.findings) {
      if (status === "warn") yield* Effect.logWarning(`${check}: ${message} ${fix}`)
    }
  }))

/**
 * A report for a terminal: a line for each finding, what to do in the next line, and a summary. It is plain text; `color`
 * colours the status with ANSI escapes.
 *
 * **Example** (A report)
 *
 * ```ts import.meta.vitest
 * import { Verify } from "@effect-resilience/azure-o1"
 *
 * const text = Verify.format({
 *   ok: true,
 *   findings: [
 *     { check: "auth", status: "pass", message: "The key is accepted.", fix: "", details: {} },
 *     { check: "clock", status: "skipped", message: "No answer told the time.", fix: "", details: {} }
 *   ]
 * })
 *
 * text.split("\n")[0] // => "pass     auth   The key is accepted."
 * text.split("\n")[3] // => "The deployment is fit: 1 passed, 1 skipped."
 * ```
 *
 * @category formatting
 * @since 0.1.0
 */
export const format = (report: Report, options?: { readonly color?: boolean | undefined }): string =>
  text.format(report, options?.color ?? false)
