import type { FilterResult, Metadata } from "../O1Completion.ts"
import * as json from "./json.ts"
import { answerHeaders, type Origin, shown } from "./origin.ts"

/** Gathers what an answer tells besides its content. */
export class Gathered {
  private serviceTier: string | undefined = undefined
  private fingerprint: string | undefined = undefined
  private readonly filters = new Map<FilterResult["source"], Record<string, unknown>>()

  /** Fields that stand at the top of every answer, in every chunk of some. */
  takeTop(chunk: unknown): void {
    this.serviceTier = json.string(json.at(chunk, "service_tier")) ?? this.serviceTier
    this.fingerprint = json.string(json.at(chunk, "system_fingerprint")) ?? this.fingerprint
  }

  /** What the filter says of further categories, or of the same ones later. */
  takeFilter(source: FilterResult["source"], results: unknown): void {
    const categories = json.entries(results)
    if (categories.length === 0) return
    this.filters.set(source, { ...this.filters.get(source), ...Object.fromEntries(categories) })
  }

  metadata(origin: Origin, annotations: ReadonlyArray<unknown>, output: ReadonlyArray<unknown>): Metadata {
    const words = (text: string | undefined): string | undefined => text === undefined ? undefined : shown(origin, text)
    return {
      headers: answerHeaders(origin),
      serviceTier: words(this.serviceTier),
      fingerprint: words(this.fingerprint),
      filterResults: Array.from(this.filters, ([source, categories]) => ({ source, categories })),
      annotations,
      output
    }
  }
}
