import { apiOf, type AzureO1Config, hasBackground } from "../AzureO1Config.ts"
import { memoryOf } from "../config/memory.ts"
import { hasResponses } from "../config/problems.ts"
import * as ModelProfile from "../ModelProfile.ts"
import type { Fact } from "../O1Fact.ts"
import type { O1Request } from "../O1Request.ts"
import { keyOf, leaveOut, type Smaller, suspects } from "./healing.ts"
import { type Abilities, type Lack, type Rung, rungs } from "./ladder.ts"
import { cautious, doubling, type Lasting, Learned, type Question, type Saying } from "./learned.ts"
import { avoidsSilence, type Route } from "./route.ts"

/** When something was asked, and when its answer is taken in. */
export interface Times {
  readonly begun: number
  readonly now: number
}

/** How one attempt is made. */
export interface Plan {
  readonly rung: Rung
  readonly request: O1Request
  readonly begun: number
  /** The questions that this attempt asks. An answer that is no refusal answers them. */
  readonly asks: ReadonlyArray<string>
  /** The parameters that were left out, and why. */
  readonly omitted: ReadonlyArray<string>
  /** All that is known and has made this attempt what it is. */
  readonly learned: ReadonlyArray<string>
}

/** Somebody else is asking, and the answer is worth a wait. */
export interface Wait {
  readonly question: Question
}

/** What one attempt has found out by itself, and whether it may teach others. */
export interface Attempted {
  readonly since: number
  readonly route: Route
  /** The answer is wanted as a whole, and ends soon: one plain request costs the least. */
  readonly brief: boolean
  /** What this attempt has been refused. */
  readonly lacking: ReadonlyArray<keyof Abilities>
}

/** How long the answer to another one's question is worth a wait, in milliseconds. */
export const patience = 5000

const needs: { readonly [R in Rung]: ReadonlyArray<keyof Abilities> } = {
  kept: ["streams", "background"],
  stream: ["streams"],
  background: ["background"],
  plain: []
}

/** Whether others may learn from the answer to a request. Fields in `extra` are the caller's own affair. */
export const teaches = ({ extra }: O1Request): boolean => extra === undefined || Object.keys(extra).length === 0

/** The profile, without the API that the version of the configuration does not have. */
const reachable = ({ apiVersion, profile = ModelProfile.o1 }: AzureO1Config): ModelProfile.ModelProfile =>
  hasResponses(apiVersion) || !profile.apis.includes("chat") ? profile : { ...profile, apis: ["chat"] }

/** The facts about one deployment, and how they shape an attempt. Times in milliseconds on a monotonic clock. */
export class Knowledge {
  readonly learned = new Learned()
  readonly configured: ModelProfile.ModelProfile
  private readonly config: AzureO1Config
  private readonly api: ModelProfile.Api
  private readonly lasting: Lasting
  private actual: ModelProfile.ModelProfile | undefined

  constructor(config: AzureO1Config) {
    const { expiry, longest } = memoryOf(config)
    this.config = config
    this.api = apiOf(config)
    this.configured = reachable(config)
    this.lasting = doubling(expiry, longest)
  }

  /** The profile of the model that answers, where that is another one. */
  get adopted(): ModelProfile.ModelProfile | undefined {
    return this.actual
  }

  /** The API that carries a request: what the model that really answers needs counts, as far as there is such an API. */
  apiFor(request: O1Request): ModelProfile.Api {
    const { apis } = this.configured
    return ModelProfile.apiFor({ ...this.actual ?? this.configured, apis }, request, this.api)
  }

  /** The profile that a request goes by. A fact forbids nothing that the configured profile allows. */
  profileFor(request: O1Request, now: number): ModelProfile.ModelProfile {
    const { actual } = this
    return actual !== undefined && this.learned.holds(modelKey(actual), now) &&
        ModelProfile.check(actual, request) === undefined
      ? actual
      : this.configured
  }

  /** How an attempt goes on with what one before it has begun. */
  continuing(request: O1Request, rung: Rung, now: number): Plan {
    return { ...this.sized(request, rung, now, false), asks: [] }
  }

  plan(request: O1Request, attempted: Attempted, now: number): Plan | Wait {
    const { brief, lacking, route } = attempted
    if (brief && !avoidsSilence(route)) return this.sized(request, "plain", now, true)
    const profile = this.profileFor(request, now)
    const closed = new Set(lacking)
    if (profile.streaming === "no") closed.add("streams")
    const responses = profile.apis.includes("responses") &&
      ModelProfile.apiFor(profile, request, "responses") !== "chat"
    if (!hasBackground(this.config) || !profile.background || !responses) {
      closed.add("background")
    }
    const api = this.apiFor(request)
    const teaching = teaches(request)
    const told: Array<string> = []
    for (const ability of abilities) {
      const own = lacking.includes(ability)
      const fact = closed.has(ability) && !own ? undefined : this.learned.fact(ability, this.config.deployment, now)
      if (fact === undefined || (!own && teaching && this.learned.stand(ability, now) === "ask")) continue
      closed.add(ability)
      told.push(fact.text)
    }
    for (;;) {
      const [rung] = rungs(
        api,
        { streams: !closed.has("streams"), background: !closed.has("background") },
        route
      )
      const asks: Array<string> = []
      let passed: keyof Abilities | undefined
      for (const ability of needs[rung!]) {
        const stand = this.learned.stand(ability, now)
        if (stand === "ask" && teaching) asks.push(ability)
        if (stand !== "wait") continue
        const question = this.learned.asked(ability)!
        if (!question.overdue && now < attempted.since + patience) return { question }
        // a likely answer is taken for granted
        if (!isLikely(ability, profile, api)) passed = ability
      }
      if (passed === undefined) {
        const sized = this.sized(request, rung!, now, true)
        return { ...sized, asks: [...asks, ...sized.asks], learned: [...told, ...sized.learned] }
      }
      closed.add(passed)
    }
  }

  /** A deployment does not have an ability. Gives what there is to tell of it. */
  lacks({ ability, tentative }: Lack, times: Times): ReadonlyArray<Fact> {
    const { deployment } = this.config
    const lasting = tentative ? cautious(this.lasting) : this.lasting
    return this.refused(ability, times, lasting, {
      about: ability === "streams" ? "streaming" : "background",
      text: ability === "streams"
        ? `The deployment "${deployment}" refuses to stream.`
        : tentative
        ? `The deployment "${deployment}" seems to have no Responses API.`
        : `The deployment "${deployment}" makes no responses in the background.`
    })
  }

  /** A deployment does not take a parameter. */
  omits(smaller: Smaller, times: Times): ReadonlyArray<Fact> {
    const { parameter, refusals } = smaller
    return refusals.flatMap((refusal) =>
      this.refused(keyOf(refusal), times, this.lasting, {
        about: "parameter",
        parameter,
        value: refusal.value,
        text: this.omission({ ...smaller, refusals: [refusal] })
      })
    )
  }

  omission({ parameter, refusals: [refusal] }: Smaller): string {
    const what = refusal?.value === undefined ? parameter : `${parameter} ${JSON.stringify(refusal.value)}`
    return `The deployment "${this.config.deployment}" does not take ${what}, so that it is left out.`
  }

  /** A model has answered a request: whether it is the one that was expected. */
  answered(model: string, request: O1Request, times: Times): { readonly warning?: string; readonly fact?: Fact } {
    if (ModelProfile.serves(this.configured, model)) {
      if (this.actual !== undefined) this.learned.forget(modelKey(this.actual))
      this.actual = undefined
      return {}
    }
    const actual = ModelProfile.forModel(model)
    if (actual === undefined || ModelProfile.check(actual, request) !== undefined) {
      return { warning: this.mismatch(model) }
    }
    if (!teaches(request)) return { warning: this.mismatch(model) }
    if (this.actual !== undefined && this.actual !== actual) this.learned.forget(modelKey(this.actual))
    const { deployment } = this.config
    const text =
      `The deployment "${deployment}" answers with ${model}: from now on it is taken for ${actual.name}, not ${this.configured.name}.`
    const [fact] = this.refused(modelKey(actual), times, this.lasting, { about: "model", parameter: actual.name, text })
    this.actual = actual
    return fact === undefined ? {} : { warning: text, fact }
  }

  mismatch(model: string): string {
    return `The deployment "${this.config.deployment}" answered with ${model}, which is not ${this.configured.name}: set the profile.`
  }

  facts(now: number): ReadonlyArray<Fact> {
    return this.learned.facts(this.config.deployment, now)
  }

  /** Takes in what was refused, and gives what there is to tell of it. */
  private refused(key: string, times: Times, lasting: Lasting, saying: Saying): ReadonlyArray<Fact> {
    const news = this.learned.refused(key, { ...times, lasting, saying })
    return news ? [this.learned.fact(key, this.config.deployment, times.now)!] : []
  }

  /** The request without the fields that the model does not have, and without those that the deployment is known to refuse. */
  private sized(request: O1Request, rung: Rung, now: number, mayAsk: boolean): Plan {
    const fields: Array<ReturnType<typeof suspects>[number][0]> = []
    const omitted: Array<string> = []
    const asks: Array<string> = []
    if (request.parallelToolCalls !== undefined && !this.profileFor(request, now).parallelToolCalls) {
      fields.push("parallelToolCalls")
    }
    if (!this.learned.isEmpty) {
      for (const [field, keys] of suspects(request)) {
        const known = keys.find((key) => this.learned.knows(key))
        if (known === undefined || fields.includes(field)) continue
        if (mayAsk && teaches(request) && this.learned.stand(known, now) === "ask") {
          asks.push(known)
        } else {
          fields.push(field)
          omitted.push(this.learned.fact(known, this.config.deployment, now)!.text)
        }
      }
    }
    return { rung, request: leaveOut(request, fields), begun: now, asks, omitted, learned: omitted }
  }
}

const abilities = ["streams", "background"] as const

const isLikely = (ability: keyof Abilities, { streaming }: ModelProfile.ModelProfile, api: ModelProfile.Api): boolean =>
  ability === "streams" ? streaming === "yes" : api === "responses"

const modelKey = ({ name }: ModelProfile.ModelProfile): string => `model ${name}`
