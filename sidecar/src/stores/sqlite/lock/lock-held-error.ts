import { StoreError } from '../../store-error.ts';
import type { LockContent } from './lock-content.ts';

/** Another sidecar holds the lock, or held it until lately: nobody can tell these apart at one look. */
export class LockHeldError extends StoreError {
  /** Who holds what, for a reader. */
  readonly holding: string;

  /** @param content undefined where the lock file holds nothing that a sidecar wrote */
  constructor(path: string, content: LockContent | undefined) {
    if (content === undefined) {
      const holding = `the lock ${path} is not readable as one`;
      super(`${holding}, waiting`, {
        hint: 'it is taken over after five seconds without a change',
      });
      this.holding = holding;
      return;
    }
    const holding = `another sidecar (host ${content.host}, process ${content.pid}) holds ${path}`;
    super(`${holding}, waiting`, {
      hint: 'one database serves one sidecar; this one takes over when that one ends',
    });
    this.holding = holding;
  }
}
