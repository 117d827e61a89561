import type * as Observability from "@effect-resilience/core/Observability"

/** What a metric is, in the words of OpenTelemetry: units are those of UCUM. */
export interface Definition extends Observability.Measure {
  readonly description: string
  readonly boundaries?: ReadonlyArray<number>
}

const doubled = (first: number, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, i) => first * 2 ** i)

/** Those of the conventions for generative AI, and four more: a reasoning model takes up to twenty minutes. */
const seconds = doubled(0.01, 18)
/** Those of the conventions. */
const tokens = Array.from({ length: 14 }, (_, i) => 4 ** i)

/** Every metric of the client. The names that begin with `gen_ai` are those of OpenTelemetry's conventions for generative AI. */
export const catalogue = {
  "gen_ai.client.operation.duration": {
    kind: "histogram",
    unit: "s",
    description: "The time that calls took, retries and waits included",
    boundaries: seconds
  },
  "gen_ai.client.operation.time_to_first_chunk": {
    kind: "histogram",
    unit: "s",
    description: "The time until the first content of streams",
    boundaries: seconds
  },
  "gen_ai.client.token.usage": {
    kind: "histogram",
    unit: "{token}",
    description: "The tokens that calls used",
    boundaries: tokens
  },
  "o1.calls": { kind: "counter", unit: "{call}", description: "Calls that have ended, retries and waits included" },
  "o1.attempts": { kind: "counter", unit: "{attempt}", description: "Attempts that have ended" },
  "o1.attempt.duration": {
    kind: "histogram",
    unit: "s",
    description: "The time that attempts took, from the request to the end of the answer",
    boundaries: seconds
  },
  "o1.tokens": { kind: "counter", unit: "{token}", description: "The tokens that calls used, as a sum" },
  "o1.connections": { kind: "counter", unit: "{connection}", description: "Connections that were made, or were not" },
  "o1.connection.duration": {
    kind: "histogram",
    unit: "s",
    description: "The time that it took to make a connection",
    boundaries: seconds
  }
} satisfies Readonly<Record<string, Definition>>

export type Id = keyof typeof catalogue
