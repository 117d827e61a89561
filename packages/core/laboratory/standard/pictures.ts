/** One picture of each setting that is a number: what the values around the default cost. */
import * as Plot from "../../src/plot/index.ts"
import type { Job, Objective, Results } from "./results.ts"
import { type SweepName, sweepOf } from "./sweeps.ts"
import { isMet, type WorldName, worlds } from "./worlds.ts"

const names: Readonly<Record<WorldName, string>> = {
  quiet: "1 a minute",
  busy: "100 a second",
  peak: "10,000 a second",
  thin: "1 a second"
}

const axisOf = (objective: Objective) => {
  switch (objective) {
    case "lost":
      return { label: "calls lost", from: 0, format: (share: number) => `${Math.round(share * 100)} %` }
    case "load":
      return { label: "requests per call", from: 0 }
    case "wait":
      return Plot.duration({ label: "wait of a caller", from: 0 })
    case "recovery":
      return Plot.duration({ label: "time to recover", from: 0 })
  }
}

/** A line with its band through the places where it was measured. */
export const drawn = (
  results: Results,
  name: string,
  objective: Objective,
  places: ReadonlyArray<{ readonly at: number; readonly job: Job }>
): ReadonlyArray<Plot.Mark> => {
  const points = places.flatMap(({ at, job }) => {
    const found = results.summary(job, objective)
    return found === undefined ? [] : [{ at, ...found }]
  })
  if (points.length === 0) return []
  return [
    Plot.band({ name, points: points.map(({ at, high, low }) => [at, Math.max(0, low), high]) }),
    Plot.line({ name, points: points.map(({ at, mean }) => [at, mean]) })
  ]
}

export const pictureOf = (results: Results, name: SweepName): string | undefined => {
  const { axis, chosen, drawn: panels, events: [event], thin = false, title, values } = sweepOf(name)
  if (axis === undefined) return undefined
  const all = (Object.keys(worlds) as ReadonlyArray<WorldName>).filter((world) =>
    isMet(world, event!) && (world !== "thin" || thin)
  )
  const usual = Plot.rule({
    name: `default, ${chosen}`,
    at: values.find(({ label }) => label === chosen)!.at,
    kind: "limit"
  })
  const scale = { label: axis.label, scale: "logarithmic" } as const
  const shown = values.filter(({ at }) => at > 0)
  return Plot.svg({
    title: `${title[0]!.toUpperCase()}${title.slice(1)}: ${event!}`,
    x: axis.durations ? Plot.duration(scale) : { ...scale, ticks: () => shown.map(({ at }) => at) },
    panels: panels.map((objective, i) => ({
      y: axisOf(objective),
      marks: [
        { ...usual, name: i === 0 ? usual.name : "" },
        ...all.flatMap((world) =>
          drawn(
            results,
            names[world],
            objective,
            shown.map(({ at, label }) => ({ at, job: results.incident(world, event!, name, label) }))
          )
        )
      ]
    }))
  })
}
