// `npm run example`: lists the examples, or runs one of them.
import process from "node:process"
import { examples } from "./examples.mjs"
import { install, run, say } from "./workspace.mjs"

const usage = `npm run example                list the examples
npm run example -- NUMBER      run one; its name does as well
npm run example -- NUMBER ...  what follows goes to the example`

/** Wraps at words, below one another; where that leaves too little room, below the beginning. */
const beside = (before, text) => {
  const columns = Math.min(process.stdout.columns || 80, 100)
  const indent = columns - before.length >= 30 ? before.length : 5
  const width = Math.max(columns - indent, 10)
  const lines = text.match(new RegExp(`\\S{${width},}|\\S.{0,${width - 1}}(?=\\s|$)`, "g")) ?? [""]
  const below = lines.map((line) => `${" ".repeat(indent)}${line}`).join("\n")
  return indent === before.length ? `${before}${below.slice(indent)}` : `${before.trimEnd()}\n${below}`
}

const [wanted, ...args] = process.argv.slice(2)
if (wanted === undefined || wanted === "--help" || wanted === "-h") {
  if (wanted === undefined) {
    const width = Math.max(...examples.map(({ name }) => name.length))
    for (const { name, number, shows } of examples) {
      console.log(beside(`${String(number).padStart(3)}  ${name.padEnd(width)}  `, shows))
    }
    console.log()
  }
  console.log(usage)
  console.log("\nThey run against a fake deployment on this machine. Where AZURE_OPENAI_ENDPOINT\nis set, some ask that deployment.")
} else {
  const example = examples.find(({ file, name, number }) =>
    /^\d+$/.test(wanted) ? number === Number(wanted) : [name, file, file.replace(".ts", "")].includes(wanted)
  )
  if (example === undefined) {
    say(`There is no example "${wanted}": npm run example lists them.`)
    process.exitCode = 1
  } else {
    const problem = await install()
    if (problem === undefined) {
      say(beside(`${example.file}: `, example.shows))
      say("")
      const code = await run("node", [`packages/examples/src/${example.file}`, ...args])
      say(`\n${example.file}: ${code === 0 ? "done" : `ended with exit code ${code}`}`)
      process.exitCode = code
    } else {
      say(problem)
      process.exitCode = 1
    }
  }
}
