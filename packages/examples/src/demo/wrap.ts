/** Text of one paragraph as lines that fit: the first one may begin after what stands there already. */
export const wrap = (text: string, width: number, begun = 0): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  let room = Math.max(width - begun, 1)
  for (const word of text.split(/\s+/u).filter((word) => word !== "")) {
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(line)
      line = ""
      room = Math.max(width, 1)
    }
    line = line === "" ? word : `${line} ${word}`
    // a word that is longer than a line, as an address
    for (; line.length > room; line = line.slice(room), room = Math.max(width, 1)) lines.push(line.slice(0, room))
  }
  return [...lines, line]
}
