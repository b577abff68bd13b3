import { DsnError } from './dsn-error.ts';

/** Choose another role, database or server: refused rather than passed over. */
const REDIRECTING: ReadonlySet<string> = new Set(['role', 'session_authorization', 'cluster']);

/**
 * Reads libpq's `options`, command-line options for the server: `-c search_path=app`,
 * `--search_path=app`. Of these only search_path has an effect here, since a pooler does not pass
 * the others on.
 *
 * @throws {DsnError} where it holds anything else, such as a proxy's routing (`endpoint=...`)
 */
export function readOptions(options: string): { searchPath?: string; others: boolean } {
  const words = splitWords(options);
  let searchPath: string | undefined;
  let others = false;
  for (let i = 0; i < words.length; i += 1) {
    let word = words[i] ?? '';
    if (word === '-c') {
      i += 1;
      word = `-c${words[i] ?? ''}`;
    }
    const [, name, value] = /^(?:-c|--)([\w.-]+)=(.*)$/s.exec(word) ?? [];
    const setting = name?.replaceAll('-', '_').toLowerCase();
    if (setting === undefined || REDIRECTING.has(setting)) {
      throw new DsnError(
        'has in options what is no setting of a session (-c name=value): a route to another server, a role, or another switch; leave it out, and name server and user by host and user',
      );
    }
    if (setting === 'search_path') searchPath = value;
    else others = true;
  }
  return { ...(searchPath === undefined ? {} : { searchPath }), others };
}

/** Blanks divide; a backslash takes the next character as it is. */
function splitWords(options: string): string[] {
  const words = options.match(/(?:\\.|[^\\\s])+/gs) ?? [];
  return words.map((word) => word.replace(/\\(.)/gs, '$1'));
}
