/** Reads the text format of Prometheus, and complains of what its parser would not take. */

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly samples: ReadonlyArray<Sample>
}

const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/uy
const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/u

const unescaped = (value: string): string =>
  value.replaceAll(/\\(.)/gu, (_, character: string) => character === "n" ? "\n" : character)

const labelsOf = (text: string): Readonly<Record<string, string>> => {
  const labels: Record<string, string> = {}
  label.lastIndex = 0
  while (label.lastIndex < text.length) {
    const found = label.exec(text)
    if (found === null) throw new Error(`no labels: ${text}`)
    if (Object.hasOwn(labels, found[1]!)) throw new Error(`a label twice: ${text}`)
    labels[found[1]!] = unescaped(found[2]!)
  }
  return labels
}

const valueOf = (text: string): number => {
  const value = text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text)
  if (Number.isNaN(value) && text !== "NaN") throw new Error(`no number: ${text}`)
  return value
}

const belongs = (name: string, { name: family, type }: Family): boolean =>
  type === "histogram" ? ["_bucket", "_sum", "_count"].some((suffix) => name === family + suffix) : name === family

/** The families of a page. A family begins with its help and its type, and a series is there once. */
export const parse = (text: string): ReadonlyArray<Family> => {
  if (!text.endsWith("\n")) throw new Error("the last line does not end")
  const families: Array<Family & { readonly samples: Array<Sample> }> = []
  const series = new Set<string>()
  let help: readonly [string, string] | undefined = undefined
  for (const line of text.slice(0, -1).split("\n")) {
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/u.exec(line)
    if (comment !== null) {
      const [, what, name, rest] = comment as unknown as readonly [string, string, string, string]
      if (what === "HELP") help = [name, rest]
      else {
        if (help?.[0] !== name) throw new Error(`${name} has no help`)
        if (families.some((family) => family.name === name)) throw new Error(`the family ${name} is there twice`)
        families.push({ name, help: help[1], type: rest, samples: [] })
      }
      continue
    }
    const found = sample.exec(line)
    if (found === null) throw new Error(`no sample: ${line}`)
    const [, name, labels = "", value] = found as unknown as readonly [string, string, string | undefined, string]
    const family = families.at(-1)
    if (family === undefined || !belongs(name, family)) throw new Error(`${name} is in no family`)
    if (series.has(`${name}{${labels}}`)) throw new Error(`a series twice: ${line}`)
    series.add(`${name}{${labels}}`)
    family.samples.push({ name, labels: labelsOf(labels), value: valueOf(value) })
  }
  return families
}
