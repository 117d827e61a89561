// A transcript says nothing of its maker. Keys, hosts, names of deployments, ids and prompts of the user's become
// words that say what was there.

/** What must not be read in a transcript. */
export interface Private {
  readonly endpoint: string
  readonly deployment: string
  /** Keys, tokens, and prompts that are the user's own. */
  readonly secrets: ReadonlyArray<string>
}

/** The headers that a transcript keeps. Others tell where the service runs, or for whom. */
const kept = /^(content-type|retry-after(-ms)?|x-ratelimit-.*|x-ms-retry-after-ms)$/

export const headersOf = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => kept.test(name)))

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")

/** A name as a word of its own, and not as a part of another: `gpt-5` is not in `gpt-5-2025-08-07`. */
const asWord = (name: string): RegExp => new RegExp(`(?<![\\w.-])${escaped(name)}(?![\\w-]|\\.\\w)`, "gu")

/** How a text is written inside of a JSON string, where that is another way. */
const written = (text: string): ReadonlyArray<string> => [...new Set([text, JSON.stringify(text).slice(1, -1)])]

/**
 * Takes out of texts what is private, the same for all of them: an id is told by the same name wherever it stands.
 */
export const redactor = ({ deployment, endpoint, secrets }: Private): (text: string) => string => {
  const ids = new Map<string, string>()
  const counts = new Map<string, number>()
  const nameOf = (id: string, prefix: string): string => {
    const known = ids.get(id)
    if (known !== undefined) return known
    const number = (counts.get(prefix) ?? 0) + 1
    counts.set(prefix, number)
    const name = prefix === "" ? `00000000-0000-4000-8000-${String(number).padStart(12, "0")}` : `${prefix}${number}`
    ids.set(id, name)
    return name
  }
  const { host, hostname } = new URL(endpoint)
  const [resource = ""] = hostname.split(".")
  const isNumber = /^[\d.:[\]]+$/.test(host)
  const hidden = secrets.flatMap(written).filter((text) => text !== "").toSorted((a, b) => b.length - a.length)
  return (text) => {
    let clean = text
    for (const secret of hidden) clean = clean.replaceAll(secret, "<redacted>")
    clean = clean.replaceAll(host, "example.openai.azure.com").replaceAll(hostname, "example.openai.azure.com")
    if (!isNumber && resource.length > 2) clean = clean.replace(asWord(resource), "example")
    return clean
      .replace(asWord(deployment), "o1")
      .replaceAll(/"(encrypted_content|obfuscation)":"[^"]*"/g, "\"$1\":\"ZmFrZQ==\"")
      .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, (id) => nameOf(id, ""))
      .replaceAll(
        /\b([a-z]{2,12}[_-])((?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{16,})/g,
        (id, prefix: string) => nameOf(id, prefix)
      )
  }
}
