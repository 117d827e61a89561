// Moves the notes of .changeset into the changelog of each package, under the version that its manifest has: for a version that
// is not published yet, which `changeset version` would leave behind.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const folder = join(root, ".changeset")
const files = readdirSync(folder).filter((file) => file.endsWith(".md") && file !== "README.md").toSorted()

/** What each package is told of, in the order of the files. */
const notes = new Map()
for (const file of files) {
  const [, head, text] = /^---\n([\s\S]*?)\n---\n([\s\S]*)$/.exec(readFileSync(join(folder, file), "utf8")) ?? []
  for (const [, name] of (head ?? "").matchAll(/^"?(@[\w-]+\/[\w-]+)"?:/gm)) notes.set(name, [...notes.get(name) ?? [], text.trim()])
}

for (const [name, texts] of notes) {
  const directory = join(root, "packages", name.split("/")[1])
  const { version } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"))
  const changelog = join(directory, "CHANGELOG.md")
  const old = existsSync(changelog) ? readFileSync(changelog, "utf8") : `# ${name}\n`
  const heading = `## ${version}\n`
  const [before, after] = old.includes(heading) ? old.split(heading) : [`${old.split("\n## ")[0].trimEnd()}\n\n`, old.slice(old.split("\n## ")[0].length)]
  const items = texts.map((text) => `- ${text.replaceAll(/\n(?=.)/g, "\n  ")}\n`).join("")
  const [kept, rest] = [after.split("\n## ")[0].trim(), after.slice(after.split("\n## ")[0].length)]
  writeFileSync(changelog, `${before}${heading}\n${kept === "" ? "" : `${kept}\n`}${items}${rest}`)
}
for (const file of files) rmSync(join(folder, file))
console.log(files.length === 0 ? "no notes in .changeset" : `${files.length} notes moved: ${[...notes.keys()].join(", ")}`)
