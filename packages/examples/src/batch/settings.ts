/** What a parent gives its workers on their way. */
import type { Place } from "./redis.ts"
import type { WorkerOptions } from "./worker.ts"

/** Where the workers keep their state. */
export type Store =
  | { readonly _tag: "Redis"; readonly place: Place; readonly leaseMillis: number }
  | { readonly _tag: "Journal"; readonly file: string }

export interface Settings extends WorkerOptions {
  readonly store: Store
}

/** An address in Redis may hold a password, which everybody can read on a command line. */
export const variable = "EFFECT_RESILIENCE_BATCH_WORKER"
