// The exchanges, in the form of the case files of the tests: a call whose exchanges are in `cases` can be played to the client
// again, and is expected to end as it has ended; the others are in `recorded`.
import { type Conversation, type Expected, type Told, told } from "../test/support/conversations.ts"
import type { Call } from "./calls.ts"
import type { Recorded } from "./recorder.ts"
import { headersOf } from "./redact.ts"

/** A conversation, and the model whose profile the client had. */
type Case = Conversation & { readonly profile: string }

export interface Transcript {
  readonly about: string
  readonly cases: ReadonlyArray<Case>
  readonly recorded: ReadonlyArray<{ readonly name: string; readonly exchanges: ReadonlyArray<Told> }>
}

const streams = ({ asked }: Recorded): boolean => typeof asked === "object" && asked !== null && "stream" in asked

const exchangeOf = (redact: (text: string) => string) => (recorded: Recorded): Told => ({
  on: `${recorded.method}${recorded.method === "POST" && streams(recorded) ? " stream" : ""}`,
  status: recorded.status,
  headers: headersOf(recorded.headers),
  body: redact(recorded.body),
  ...recorded.complete ? {} : { cut: true }
})

export const exchangesOf = (
  log: ReadonlyArray<Recorded>,
  redact: (text: string) => string
): ReadonlyArray<Told> => log.map(exchangeOf(redact))

const looked: Expected = { outcome: "", text: "", finish: "", toolCalls: [], usage: null }

/** How the call ended, in the words of the case files. */
const expectedOf = ({ error, events }: Call): Expected => {
  const completion = events.findLast((event) => event._tag === "Finished")?.completion
  const outcome = { completion, error, events, asked: [] }
  return { ...told(outcome, looked), outcome: told(outcome, looked).outcome ?? "" }
}

/** A case of the call that a check has made. */
export const caseOf = (options: {
  readonly name: string
  readonly source: string
  readonly profile: string
  readonly call: Call
  readonly log: ReadonlyArray<Recorded>
  readonly redact: (text: string) => string
}): Case => ({
  name: `live-${options.name.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase()}`,
  api: options.call.api,
  src: options.source,
  profile: options.profile,
  exchanges: exchangesOf(options.log, options.redact),
  expect: JSON.parse(options.redact(JSON.stringify(expectedOf(options.call))))
})
