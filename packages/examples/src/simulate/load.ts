/** From what was asked for to the options of a forecast, with sentences about what was taken from where. */
import * as Plot from "@effect-resilience/core/plot"
import { type Forecast, Times } from "@effect-resilience/core/simulation"
import { busiestHour, type History, history, trace, Unusable } from "./files.ts"
import type { Options } from "./options.ts"

/** A load to see what it is about. */
export const example =
  "--rate 20/s --p50 80ms --p99 400ms --errors 1% --capacity 4 --outage 30s --kind slow --patience 2s"

export interface Load {
  readonly options: Forecast.Options
  readonly notes: ReadonlyArray<string>
}

const showShare = (share: number): string => `${Number((share * 100).toPrecision(2))} %`

const count = (n: number): string => Math.round(n).toLocaleString("en-US")

/** Of a history, with what was given besides. */
const notesOf = (
  found: History,
  { errors, maxAnswer, perSecond, percentiles, trace }: Options
): ReadonlyArray<string> => {
  const { answers, calls, knownTo, tokens } = found
  return [
    `The history has ${count(answers)} answers. ${
      percentiles.length > 0
        ? "Their times are not used, for some were given."
        : knownTo === undefined
        ? "Their times are used as they are."
        : `Too many attempts were cut off to know more than p${knownTo} of their times: what takes longer is taken to take as long as that.`
    }`,
    ...perSecond === undefined && trace === undefined
      ? [`The calls are those of its busiest hour: ${count(calls.length)} in ${Plot.showDuration(calls.at(-1) ?? 0)}.`]
      : [],
    ...errors === undefined
      ? [`Of its requests ${showShare(found.errors)} failed, timeouts and refusals for the quota aside.`]
      : [],
    ...tokens !== undefined && maxAnswer === undefined
      ? [
        `A request is taken to ask for ${
          count(tokens.largest)
        } tokens at most, the largest answer there was: --max-answer says otherwise.`
      ]
      : []
  ]
}

const tokensOf = (found: History | undefined, asked: Options): Forecast.Options["tokens"] => {
  const prompt = asked.prompt ?? found?.tokens?.prompt
  const answer = asked.answer ?? found?.tokens?.answer
  if (prompt === undefined || answer === undefined) return undefined
  const [ofPrompt, ofAnswer] = asked.price ?? []
  return {
    prompt: Times.constant(prompt),
    completion: Times.constant(answer),
    maxCompletion: Math.ceil(Math.max(answer, asked.maxAnswer ?? found?.tokens?.largest ?? answer)),
    price: ofPrompt === undefined || ofAnswer === undefined ? undefined : { prompt: ofPrompt, completion: ofAnswer }
  }
}

/** Reads the files that are named. It throws an `Unusable` where one cannot be used. */
export const loadOf = async (asked: Options): Promise<Load> => {
  const found = asked.history === undefined ? undefined : await history(asked.history)
  const percentiles = asked.percentiles.length > 0 ? asked.percentiles : found?.percentiles ?? []
  const log = asked.trace === undefined ? undefined : trace(asked.trace)
  const played = log === undefined ? found?.calls : busiestHour(log)
  if (asked.perSecond === undefined && (played === undefined || played.length < 2 || played.at(-1) === 0)) {
    throw new Unusable(`The history has ${played?.length ?? 0} calls, too few for a load: give --rate.`)
  }
  const tokens = tokensOf(found, asked)
  if ((asked.tokensPerMinute ?? asked.price) !== undefined && tokens === undefined) {
    throw new Unusable("The history has no tokens: give --prompt and --answer.")
  }
  const { requestsPerMinute, tokensPerMinute } = asked
  return {
    notes: [
      ...log === undefined || played!.length === log.length ? [] : [
        `The log has ${count(log.length)} calls in ${
          Plot.showDuration(log.at(-1)!)
        }, of which those of the busiest hour are played: ${count(played!.length)}.`
      ],
      ...found === undefined ? [] : notesOf(found, asked)
    ],
    options: {
      ...asked.perSecond === undefined ? { trace: played } : { perSecond: asked.perSecond },
      times: Times.fromPercentiles(percentiles),
      deployments: asked.deployments ?? found?.deployments,
      capacity: asked.capacity,
      errors: asked.errors ?? found?.errors,
      quota: requestsPerMinute === undefined && tokensPerMinute === undefined
        ? undefined
        : { requestsPerMinute, tokensPerMinute },
      tokens,
      outage: asked.outage === undefined
        ? undefined
        : { lasts: asked.outage, kind: asked.kind, deployments: asked.hit },
      processes: asked.processes,
      patience: asked.patience,
      seeds: asked.seeds
    }
  }
}
