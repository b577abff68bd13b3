/** What may be told of an error that nobody expected. */
export interface ErrorFacts {
  readonly name: string;
  readonly code?: string;
  /** The stack without its head. */
  readonly frames: readonly string[];
}

/** Tells where an error came from, without its message: that may hold what a caller sent. */
export function describeError(thrown: unknown): ErrorFacts {
  if (!(thrown instanceof Error)) return { name: typeof thrown, frames: [] };
  const frames = (thrown.stack ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^at .*:\d+:\d+\)?$/.test(line))
    .slice(0, 10);
  const { code } = thrown as NodeJS.ErrnoException;
  const { name } = thrown.constructor;
  return typeof code === 'string' ? { name, code, frames } : { name, frames };
}
