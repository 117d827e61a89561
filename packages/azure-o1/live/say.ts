// The words of a run, for the person before it.
import type { Cost, Outcome, Report } from "./run.ts"

const help = `npm run live -- --yes [--burst N] [--max-tokens N] [--out FILE]

Makes twelve short checks at your own Azure OpenAI deployment and at FakeAzure,
says in what the two agree, and writes a transcript without keys, hosts, names
of deployments, ids and prompts of your own, which can become a test.

  --yes            go on; without it, the command only tells the cost;
                   AZURE_OPENAI_LIVE=yes is the same
  --burst N        send N requests at once, to see a 429 (0)
  --max-tokens N   the largest number of output tokens of an answer (2000)
  --out FILE       where the transcript goes (azure-live.json)

AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY and AZURE_OPENAI_DEPLOYMENT name the
deployment, AZURE_OPENAI_MODEL its model. AZURE_OPENAI_TOKEN is a token of Entra
ID for the check of it. AZURE_OPENAI_FILTER_PROMPT is a prompt that your content
filter refuses; the service may take note of such a prompt.`

export const words = {
  help,
  inCi: "npm run live asks a real service, and so does not run in CI.",
  cost: ({ answers, outputTokens, requests }: Cost): string =>
    `This makes at most ${requests} requests at the deployment, most of them for the status of a response. At most ${answers} ` +
    `of them are answered by the model, which is billed for, with at most ${outputTokens} output tokens and about ` +
    `${answers * 40} input tokens in all.`,
  notYet: "Nothing was sent. Run it with --yes, or AZURE_OPENAI_LIVE=yes, to go on."
} as const

/** How many of the differences in shape are printed. */
const shown = 8

const list = (name: string, lines: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...lines.slice(0, shown).map((line) => `    ${name}: ${line}`),
  ...lines.length > shown ? [`    ${name}: ${lines.length - shown} more`] : []
]

/** One check in lines. */
export const linesOf = ({ agreed, differed, name, seen, shapes, skipped }: Outcome): ReadonlyArray<string> => {
  if (skipped !== undefined) return [`-    ${name}: not made, for ${skipped}`]
  return [
    `${differed.length === 0 ? "ok  " : "DIFF"} ${name}`,
    ...agreed.map((line) => `    agrees: ${line}`),
    ...differed.map((line) => `    DIFFERS: ${line}`),
    ...seen.map((line) => `    seen: ${line}`),
    ...shapes === undefined ? [] : [
      `    shapes: ${shapes.agreed} agree, ${shapes.service.length} of the service alone, ${shapes.fake.length} of FakeAzure alone`,
      ...list("service alone", shapes.service),
      ...list("FakeAzure alone", shapes.fake)
    ]
  ]
}

/** The verdict, which is the last line. */
export const verdict = ({ outcomes }: Report): string => {
  const made = outcomes.filter(({ skipped }) => skipped === undefined)
  const differ = made.filter(({ differed }) => differed.length > 0)
  const skipped = outcomes.length === made.length ? "" : ` ${outcomes.length - made.length} were not made.`
  return differ.length === 0
    ? `All ${made.length} checks found at the service what FakeAzure does.${skipped}`
    : `${differ.length} of ${made.length} checks found something else than FakeAzure does: ${
      differ.map(({ name }) => name).join(", ")
    }.${skipped}`
}
