/** Compiles every example, also those that are not run. An error names the file and line of the example. */
import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join, relative, resolve } from "node:path"
import { examplesIn, filesOf, sources } from "./examples.ts"

const directory = resolve("packages/examples/.doctest")
rmSync(directory, { recursive: true, force: true })
mkdirSync(directory)

const examples = filesOf(sources).flatMap((file) => examplesIn(file).map((example) => ({ example, file })))
for (const [i, { example }] of examples.entries()) {
  writeFileSync(join(directory, `${i}.ts`), `${example.code}\nexport {}\n`)
}
writeFileSync(
  join(directory, "tsconfig.json"),
  JSON.stringify({
    extends: "../../../tsconfig.tests.json",
    references: [],
    include: ["*.ts"],
    compilerOptions: {
      composite: false,
      declarationMap: false,
      incremental: false,
      rootDir: "../../..",
      noUnusedLocals: false,
      noUnusedParameters: false
    }
  })
)

const { status, stdout } = spawnSync("tsc", ["-p", directory], {
  encoding: "utf8",
  shell: process.platform === "win32"
})
const named = stdout.replaceAll(/^\S*?(\d+)\.ts\((\d+),(\d+)\)/gm, (_, i: string, line: string, column: string) => {
  const { example, file } = examples[Number(i)]!
  return `${relative(process.cwd(), file)}:${example.line + Number(line)}:${column}`
})
rmSync(directory, { recursive: true, force: true })
process.stdout.write(status === 0 ? `${examples.length} examples compile\n` : named)
process.exit(status ?? 1)
