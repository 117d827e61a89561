// Runs one of the checks and builds of this workspace: `npm run NAME`, with --help to be told first what it does.
import process from "node:process"
import { install, run, say } from "./workspace.mjs"

const build = [
  ["tsc", "-b", "tsconfig.packages.json"],
  ["pnpm", "--recursive", "--filter", "./packages/{core,azure-o1}", "exec", "babel", "dist"].concat(
    ["--plugins", "annotate-pure-calls", "--out-dir", "dist", "--source-maps"]
  )
]

/**
 * What each does, the commands (the last one gets the arguments of the caller), what a success means, and after a failure
 * what to do.
 */
const tasks = {
  test: {
    does: "Runs all tests; `npm test -- --project core Timeout` runs those of the files that are so named.",
    commands: [["vitest", "run", "--config", "vitest.workspace.ts"]],
    good: "all that ran have passed"
  },
  check: {
    does: "Checks all types, tests and benchmarks among them.",
    commands: [["tsc", "-b", "tsconfig.json"]],
    good: "all types are right"
  },
  lint: {
    does: "Lints, with the rules that need types.",
    commands: [["oxlint", "--type-aware"]],
    good: "nothing to object to",
    hint: "npm run fix mends what can be mended by a machine"
  },
  format: {
    does: "Checks the format of TypeScript, JSON and Markdown.",
    commands: [["dprint", "check"]],
    good: "everything is formatted",
    hint: "npm run fix formats it"
  },
  voice: {
    does: "Finds the sentences that docs/voice.md rules out.",
    commands: [["node", "scripts/voice.mjs"]],
    good: "no sentence to read twice, as far as a machine can tell",
    hint: "docs/voice.md has a better one for each"
  },
  fix: {
    does: "Mends what lint and format complain of, as far as a machine can.",
    commands: [["oxlint", "--type-aware", "--fix"], ["dprint", "fmt"]],
    goOn: true,
    good: "mended and formatted",
    hint: "what is left needs a person"
  },
  "test-types": {
    does: "Tests what compiles, what must not, and the types that are shown.",
    commands: [["node", "scripts/test-types.mjs"]],
    good: "the types are as promised"
  },
  doctest: {
    does: "Runs the examples in doc comments and pages; `npm run doctest -- Retry` runs those of the files that are so named.",
    commands: [["vitest", "run", "--config", "vitest.docs.ts"]],
    // all examples are in one test file, each under the name of its own
    argument: (name) => name.startsWith("-") ? [name] : ["-t", name],
    good: "all examples do what they say"
  },
  "doctest:types": {
    does: "Compiles every example in doc comments and pages, those that cannot run among them.",
    commands: [["node", "tools/doctest/src/types.ts"]],
    good: "all examples compile"
  },
  reference: {
    does: "Writes the reference of the public API as Markdown into tools/docs/out.",
    commands: [["tsc", "-b", "tsconfig.packages.json"], ["pnpm", "--silent", "--filter", "./tools/docs", "build"]],
    good: "written to tools/docs/out"
  },
  build: {
    does: "Builds both packages into packages/*/dist.",
    commands: build,
    good: "built into packages/*/dist"
  },
  pack: {
    does: "Builds both packages, packs them into packs/, installs them with npm into an empty project, and uses them there.",
    commands: [...build, ["node", "scripts/pack.mjs"]],
    good: "packs/ has what can be installed"
  },
  matrix: {
    does: "Builds both packages and uses them in every runtime, TypeScript and bundler that they are for. Takes minutes; with --markdown the results come as a table as well.",
    commands: [...build, ["node", "scripts/matrix.mjs"]],
    good: "works wherever it should"
  },
  "check-packages": {
    does: "Builds both packages and checks what would be published: manifests, types, entries, bundles and sizes.",
    commands: [...build, ["node", "scripts/check-packages.mjs"]],
    good: "what would be published can be used"
  },
  sizes: {
    does: "Builds both packages and compares what each entry adds to a bundle with its budget; with --parts it says what the bytes are for.",
    commands: [...build, ["node", "scripts/sizes.mjs"]],
    good: "all within their budgets"
  },
  pages: {
    does: "Writes the pages that are made from others, llms.txt among them; with --check it only tells whether they are current.",
    commands: [["node", "scripts/pages.mjs"]],
    good: "all are current"
  },
  changelog: {
    does: "Moves the notes of .changeset into the changelogs, under the version of the manifests, while that is unpublished.",
    commands: [["node", "scripts/changelog.mjs"], ["dprint", "fmt", "packages/*/CHANGELOG.md"]],
    good: "the changelogs are current"
  },
  unused: {
    does: "Finds files, exports and dependencies that nothing uses.",
    commands: [["knip"]],
    good: "everything is used"
  },
  coverage: {
    does: "Runs all tests and tells which lines they run. Takes some minutes.",
    commands: [["vitest", "run", "--config", "vitest.workspace.ts", "--coverage"]],
    good: "all tests pass; the table is above"
  },
  mutation: {
    does: "Changes core a little, many times over, and looks whether a test notices. Takes hours; `--mutate FILE` narrows it.",
    commands: [["stryker", "run"]],
    env: { MUTATION: "1" },
    good: "done; what survived is listed above"
  }
}

const [name, ...args] = process.argv.slice(2)
const task = Object.hasOwn(tasks, name ?? "") ? tasks[name] : undefined

if (task === undefined) {
  const names = Object.keys(tasks)
  const width = Math.max(...names.map(({ length }) => length)) + 2
  const list = names.map((each) => `  ${each.padEnd(width)}${tasks[each].does.split(/[.;]/)[0]}`)
  const unknown = name !== undefined && name !== "--help"
  const text = `npm run NAME [-- ARGUMENT...]\n\n${list.join("\n")}`
  if (unknown) console.error(`There is no task "${name}".\n\n${text}`)
  else console.log(text)
  process.exit(unknown ? 1 : 0)
}

const wrap = (text) => text.match(/\S.{0,78}(?=\s|$)/g).join("\n")
const shown = (command) => {
  const words = command.map((word) => /[{*]/.test(word) ? `"${word}"` : word).join(" ")
  return words.match(/\S.{0,72}(?=\s|$)/g).join(" \\\n    ")
}

if (args.includes("--help") || args.includes("-h")) {
  const last = task.commands.at(-1)
  console.log(`npm ${name === "test" ? "" : "run "}${name} [-- ARGUMENT...]\n\n${wrap(task.does)}\n\nRuns:`)
  for (const command of task.commands) console.log(`  ${shown(command)}`)
  const asked = last[0] === "pnpm" || last[0] === "node" ? "" : ` \`npx ${last[0]} --help\` lists them.`
  console.log(`\nArguments go to the ${task.commands.length > 1 ? "last of these commands" : "command"}.${asked}`)
  process.exit(0)
}

const problem = await install()
if (problem !== undefined) {
  say(problem)
  process.exit(1)
}

const begun = performance.now()
let code = 0
for (const [i, [command, ...words]] of task.commands.entries()) {
  const last = i === task.commands.length - 1
  // eslint-disable-next-line no-await-in-loop -- one after the other
  const ended = await run(command, last ? [...words, ...args.flatMap(task.argument ?? ((each) => [each]))] : words, { env: task.env })
  code ||= ended
  if (code !== 0 && !task.goOn) break
}
const verdict = code === 0 ? task.good : `failed${task.hint === undefined ? "" : `: ${task.hint}`}`
say(`\n${name}: ${verdict} (${((performance.now() - begun) / 1000).toFixed(1)} s)`)
process.exitCode = code
