/** Where progress is shown: process.stdout, or a test's. */
export interface Screen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const WIDTH = 30;
const REDRAW_MS = 100;

/** A bar that moves, on a terminal; a line each tenth of the way, elsewhere. */
export class Progress {
  readonly #screen: Screen;
  readonly #started = performance.now();
  #drawnAt = Number.NEGATIVE_INFINITY;
  #tenths = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** @param fraction of the way, from 0 to 1 */
  show(fraction: number, records: number): void {
    const now = performance.now();
    if (this.#screen.isTTY) {
      if (now - this.#drawnAt < REDRAW_MS && fraction < 1) return;
      this.#drawnAt = now;
      const full = Math.round(fraction * WIDTH);
      const bar = '█'.repeat(full) + '░'.repeat(WIDTH - full);
      this.#screen.write(`\r${bar} ${this.#text(fraction, records, now)}\u001b[K`);
      return;
    }
    const tenths = Math.floor(fraction * 10);
    if (tenths <= this.#tenths) return;
    this.#tenths = tenths;
    this.#screen.write(`${this.#text(fraction, records, now)}\n`);
  }

  end(): void {
    if (this.#screen.isTTY) this.#screen.write('\n');
  }

  #text(fraction: number, records: number, now: number): string {
    const seconds = Math.max(0.001, (now - this.#started) / 1_000);
    const percent = String(Math.floor(fraction * 100)).padStart(3);
    const rate = Math.round(records / seconds).toLocaleString('en-US');
    return `${percent}%  ${records.toLocaleString('en-US')} records, ${rate}/s`;
  }
}
