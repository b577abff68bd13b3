import { identityOf, isSame } from '../files/file-identity.ts';
import type { FileLayer } from '../files/file-layer.ts';
import { setFormerAside } from './quarantine.ts';
import { COMPANIONS, type Companion, type LastSeen, type WalOwner } from './wal-owner.ts';

/** Keeps a WAL or journal from a file that it does not belong to, by what the opening before saw. */
export class Ownership {
  readonly #files: FileLayer;
  readonly #path: string;
  readonly #owner: WalOwner;

  constructor(files: FileLayer, path: string, owner: WalOwner) {
    this.#files = files;
    this.#path = path;
    this.#owner = owner;
  }

  /**
   * Call it before anything is opened: moves aside what belongs to a file that lay here before.
   *
   * @returns what to tell the operator, if there was some
   */
  begin(nowMs: number): string | undefined {
    const owner = this.#owner;
    const there = this.#identityAt('');
    const file = there === 'none' ? undefined : there;
    const isOther = file !== undefined && owner.file !== undefined && !isSame(owner.file, file);
    const notice = isOther
      ? setFormerAside(this.#files, this.#path, nowMs, (companion) => this.#isFormer(companion))
      : undefined;
    owner.file = file;
    // Some may be made from here on, by an opening that does not live to see its end.
    for (const companion of COMPANIONS) {
      const seen = this.#identityAt(companion);
      owner.companions[companion] = seen === 'none' ? undefined : seen;
    }
    return notice;
  }

  /** Call it after the opening, whatever came of it: remembers what lies there. */
  end(): void {
    const { file, companions } = this.#owner;
    const there = this.#identityAt('');
    // What another file has beside it is nothing to go by.
    const isOurs = file !== undefined && there !== undefined && there !== 'none';
    if (!isOurs || !isSame(file, there)) return;
    for (const companion of COMPANIONS) companions[companion] = this.#identityAt(companion);
  }

  #isFormer(companion: Companion): boolean {
    const seen = this.#owner.companions[companion];
    if (seen === undefined) return true;
    const there = this.#identityAt(companion);
    return seen !== 'none' && there !== 'none' && (there === undefined || isSame(seen, there));
  }

  #identityAt(suffix: Companion | ''): LastSeen {
    const path = this.#path + suffix;
    try {
      return this.#files.exists(path) ? identityOf(this.#files.stat(path)) : 'none';
    } catch {
      return undefined;
    }
  }
}
