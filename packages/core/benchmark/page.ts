import { readFileSync, writeFileSync } from "node:fs"

const begin = "<!-- benchmark: from here -->"
const end = "<!-- benchmark: to here -->"

/** Puts the text between the marks of a page, or makes of it all of a page that has none. */
export const writePage = (file: string, text: string): void => {
  const page = readFileSync(file, "utf8")
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  const generated = `${begin}\n\n${text}\n\n${end}`
  writeFileSync(
    file,
    from === -1 || to < from ? `${generated}\n` : page.slice(0, from) + generated + page.slice(to + end.length)
  )
}
