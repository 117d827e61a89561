import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import { FakeAzure, type FakeAzureOptions } from "../../src/testing/index.ts"
import * as Verify from "../../src/Verify.ts"

/** A profile that nobody retires, so that the day of the test does not matter. */
const lasting = ModelProfile.custom("lasting")

export const key = "THEVERYKEY0123456789"

export const statuses = ({ findings }: Verify.Report): Record<string, Verify.Status> =>
  Object.fromEntries(findings.map(({ check, status }) => [check, status]))

export const find = ({ findings }: Verify.Report, check: Verify.Check): Verify.Finding => {
  const found = findings.find((finding) => finding.check === check)
  if (found === undefined) throw new Error(`no finding of ${check}`)
  return found
}

/** Every report is serialisable, and holds no secret. */
export const verify = (config: AzureO1Config, options?: Verify.Options) =>
  Effect.gen(function*() {
    const report = yield* Verify.verifyDeployment(config, options)
    const json = JSON.stringify(yield* Schema.encodeEffect(Verify.Report)(report))
    assert.deepStrictEqual(yield* Schema.decodeUnknownEffect(Verify.Report)(JSON.parse(json)), report)
    for (const secret of [key, "THETOKEN"]) assert.notInclude(json + Verify.format(report), secret)
    return report
  }).pipe(Effect.orDie)

export const against = <A, E, R>(
  options: FakeAzureOptions,
  f: (config: AzureO1Config, azure: FakeAzure["Service"]) => Effect.Effect<A, E, R>
) =>
  Effect.flatMap(FakeAzure, (azure) => f({ ...azure.config, profile: lasting }, azure)).pipe(
    Effect.provide(FakeAzure.layer({ apiKey: key, ...options }).pipe(Layer.provideMerge(AzureO1Node.layerHttpClient)))
  )

/** A deployment on a server that answers as the test wants it. */
export const at = (endpoint: string): AzureO1Config => ({
  endpoint,
  apiKey: Redacted.make(key),
  deployment: "o1",
  profile: lasting
})

export const refusal = { status: 400, body: { error: { code: "invalid_type", message: "Invalid 'messages'." } } }

export const overNode = Effect.provide(AzureO1Node.layerHttpClient)
