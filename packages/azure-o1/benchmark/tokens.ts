/**
 * What the estimate of `TokenCounter` is worth: its error against o200k_base by kind of text, and its speed beside
 * gpt-tokenizer's. Run it with `node packages/azure-o1/benchmark/tokens.ts`.
 */
import { countTokens } from "gpt-tokenizer/encoding/o200k_base"
import { estimate } from "../src/prompt/estimate.ts"
import { wide } from "../test/fixtures/token-corpus-wide.ts"
import { corpus } from "../test/fixtures/token-corpus.ts"

const percent = (value: number): string => `${value >= 0 ? "+" : ""}${(100 * value).toFixed(1)} %`

/** Megabytes of UTF-8 in a second, the best of five rounds. */
const speed = (count: (text: string) => number, text: string, times: number): number => {
  const bytes = Buffer.byteLength(text) * times
  const rounds = Array.from({ length: 5 }, () => {
    const start = performance.now()
    for (let i = 0; i < times; i++) count(text)
    return bytes / (performance.now() - start) / 1000
  })
  return Math.max(...rounds)
}

console.log("kind of text | characters | tokens | estimate | error | characters / 4")
console.log("--- | ---: | ---: | ---: | ---: | ---:")
for (const [kind, text] of Object.entries({ ...corpus, ...wide })) {
  const exact = countTokens(text)
  const estimated = estimate(text)
  const quarter = Math.ceil(text.length / 4)
  console.log(
    [kind, text.length, exact, estimated, percent(estimated / exact - 1), percent(quarter / exact - 1)].join(" | ")
  )
}

console.log("\nkind of text | estimate | gpt-tokenizer | times as fast")
console.log("--- | ---: | ---: | ---:")
for (const kind of ["English prose", "TypeScript", "JSON, pretty-printed", "Chinese, simplified", "base64"]) {
  const text = corpus[kind]!.repeat(200)
  const ours = speed(estimate, text, 5)
  const theirs = speed(countTokens, text, 1)
  console.log([kind, `${ours.toFixed(0)} MB/s`, `${theirs.toFixed(1)} MB/s`, (ours / theirs).toFixed(1)].join(" | "))
}
