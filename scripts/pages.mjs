// Writes the pages that are made from others: llms.txt, and the list of the examples. With --check it only tells whether they
// are current.
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { examples } from "./examples.mjs"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const read = (path) => {
  try {
    return readFileSync(join(root, path), "utf8")
  } catch {
    return ""
  }
}

/** The text of Markdown on one line, without links, code marks and emphasis. */
const plain = (markdown) => markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll(/[`*]/g, "").replaceAll(/\s+/g, " ").trim()

/** The title of a page and the first sentence of its first paragraph. */
const summary = (path) => {
  const text = read(path).replaceAll(/^```[\s\S]*?^```$/gm, "").replaceAll(/^\*\*\w+\.\*\* /gm, "")
  const [, title] = /^# (.*)$/m.exec(text) ?? []
  const paragraphs = text.slice(text.indexOf(title ?? "") + (title ?? "").length).split(/\n{2,}/).map((part) => part.trim())
  const first = plain(paragraphs.find((part) => /^[A-Za-z`*[]/.test(part) && !part.startsWith("[!")) ?? "")
  return { title: plain(title ?? path), says: /^.*?[.:?!](?= |$)/.exec(first)?.[0].replace(/:$/, ".") ?? first }
}

const entry = (path) => {
  const { says, title } = summary(path)
  return `- [${title}](${path})${says === "" ? "" : `: ${says}`}`
}

const pagesIn = (pattern) => globSync(pattern, { cwd: root }).map((path) => path.replaceAll("\\", "/")).toSorted()

const llms = () => {
  const guides = pagesIn("docs/*.md").filter((path) => path !== "docs/README.md")
  const section = (title, lines) => lines.length === 0 ? [] : [`## ${title}`, "", ...lines, ""]
  return [
    "# effect-resilience",
    "",
    `> ${summary("README.md").says}`,
    "",
    "Packages: `@effect-resilience/core` has the policies, `@effect-resilience/azure-o1` the client. Both are for Effect 4 (`effect` ^4.1);",
    "code for Effect 3 does not work with them. Every example in these pages and in the doc comments compiles, and those marked",
    "`ts import.meta.vitest` are run as tests.",
    "",
    ...section("Start", [entry("README.md"), entry("docs/README.md")]),
    ...section("Guides", guides.map(entry)),
    ...section("Policies", pagesIn("docs/policies/*.md").map(entry)),
    ...section("Laboratory", [...pagesIn("docs/laboratory/README.md"), ...pagesIn("docs/laboratory/*.md").filter((path) => !path.endsWith("README.md"))].map(entry)),
    ...section("Examples", examples.map(({ file, name, shows }) => `- [${name}](packages/examples/src/${file}): ${plain(shows)}`)),
    ...section("Decisions", pagesIn("docs/decisions/*.md").filter((path) => !path.endsWith("README.md")).map(entry)),
    ...section("Work on it", [...pagesIn("*.md").filter((path) => path !== "README.md"), ...pagesIn("packages/*/benchmark/README.md")].map(entry))
  ].join("\n").trimEnd() + "\n"
}

const listOfExamples = () => `# Examples

Programs to copy from. Each runs as it is, against a fake deployment on this machine, and prints what it shows; a test holds every
one to its output.

\`\`\`sh
npm run example          # this list
npm run example -- 9     # runs one
npm start                # the demo, in src/demo
npm run batch -- --fake  # prompts in, answers out, in src/batch
npm run fleet            # three processes through a bad minute, in src/fleet
npm run simulate         # your own load through several stacks, in src/simulate
\`\`\`

${examples.map(({ file, shows }) => `- [\`${file}\`](src/${file}): ${shows}`).join("\n")}
- [\`batch\`](src/batch/main.ts): Work that survives its process: prompts from a file, answers to a file, with a queue in Redis or a
  journal. \`npm run batch -- --help\` tells how, and [a page](../../docs/batch.md) tells why you can rely on it.
- [\`fleet\`](src/fleet/main.ts): Three processes, three deployments, one quota, and a minute in which everything fails once. [A
  page](../../docs/fleet.md) tells what is promised.
- [\`simulate\`](src/simulate/main.ts): What several stacks would do with your load, side by side, and which settings follow.
  [A page](../../docs/simulate.md) shows it.

[\`test/06-swapping-layers.test.ts\`](test/06-swapping-layers.test.ts) shows the tests of a program that uses the client.
`

const pages = { "llms.txt": llms, "packages/examples/README.md": listOfExamples }

const stale = Object.entries(pages).filter(([path, make]) => read(path) !== make())
const check = process.argv.includes("--check")
if (!check) for (const [path, make] of stale) writeFileSync(join(root, path), make())
for (const [path] of stale) console.log(check ? `${path} is not current: npm run pages writes it` : `${path} is written`)
process.exitCode = check && stale.length > 0 ? 1 : 0
