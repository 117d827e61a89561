/**
 * The schema of what resumes an answer, for programs that write it down.
 *
 * @since 0.1.0
 */
export { ResumeToken } from "../transport/token.ts"
