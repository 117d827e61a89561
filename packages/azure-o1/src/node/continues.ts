import type * as net from "node:net"

const first = "HTTP/1.1 100"

/** A head of headers is not longer than this. */
const longestHead = 16 * 1024

/**
 * The beginning of an answer without the `100 Continue`s before it; `undefined` as long as it is not there yet.
 */
export const withoutContinues = (data: Buffer): Buffer | undefined => {
  let rest = data
  for (;;) {
    const begin = rest.toString("latin1", 0, first.length)
    const fits = first.startsWith(begin) || /^HTTP\/1\.[01] 100$/.test(begin)
    if (!fits) return rest
    const end = rest.indexOf("\r\n\r\n")
    if (end < 0) return rest.length > longestHead ? rest : undefined
    rest = rest.subarray(end + 4)
    if (rest.length === 0) return undefined
  }
}

/**
 * A socket from which nobody reads a `100 Continue`. A client that did not ask for it may ignore it (RFC 9110, 15.2), and undici
 * closes the connection instead: the answer that follows would be lost, and paid for again.
 */
export const ignoringContinues = <S extends net.Socket>(socket: S): S => {
  const read = socket.read.bind(socket)
  const write = socket.write.bind(socket)
  let awaited = true
  let held: Buffer | undefined = undefined
  // an answer begins after something was sent
  socket.write = ((...args: Parameters<typeof write>) => {
    awaited = true
    return write(...args)
  }) as typeof write
  socket.read = (size) => {
    for (;;) {
      const data: Buffer | null = read(size)
      if (!awaited || data === null) return data
      const begin = held === undefined ? data : Buffer.concat([held, data])
      const rest = withoutContinues(begin)
      held = rest === undefined ? begin : undefined
      if (rest !== undefined) {
        awaited = false
        return rest
      }
    }
  }
  return socket
}
