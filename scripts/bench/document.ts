import { cpus, release } from 'node:os';
import { type Figure, isMet, type Outcome } from './figure.ts';

/** One line of a figure for the terminal. */
export function describeFigure(figure: Figure): string {
  const verdict = isMet(figure) ? 'ok    ' : 'MISSED';
  return `${verdict} ${figure.title}: ${measuredOf(figure)} (${boundOf(figure)})`;
}

/** docs/PERFORMANCE.md, written from the outcomes of one run. */
export function performanceDocument(outcomes: readonly Outcome[], date: string): string {
  const figures = outcomes.flatMap((outcome) => outcome.figures);
  const processors = cpus();
  return `# Performance

Written by \`npm run bench\`, all of it from one run. Ratios travel between machines better than
rates do; compare the ratios.

${table([
  ['figure', 'measured', 'bound', ''],
  ...figures.map((figure) => [
    figure.title,
    measuredOf(figure),
    boundOf(figure),
    isMet(figure) ? 'ok' : '**missed**',
  ]),
])}

Measured on ${date} on ${processors.length} cores of ${processors[0]?.model ?? 'an unknown processor'},
shared by server and clients; Linux ${release()}, Node ${process.versions.node}.

## How, and what lies behind

${outcomes.map(section).join('\n\n')}
`;
}

function section({ figures, how, facts }: Outcome): string {
  const titles = figures.map((figure) => `### ${figure.title}`).slice(0, 1);
  return `${titles.join('\n')}\n\n${how}\n\n${table([['', 'measured'], ...facts])}`;
}

function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const widths = head.map((_, i) => Math.max(3, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(head), rule, ...body.map(line)].join('\n');
}

function measuredOf({ value, unit }: Figure): string {
  if (unit === '') return value.toFixed(2);
  return `${value.toFixed(unit === 'ms' && value < 10 ? 1 : 0)} ${unit}`;
}

function boundOf({ bound, unit, applies = true }: Figure): string {
  const text = 'least' in bound ? `at least ${bound.least}` : `at most ${bound.most}`;
  return `${text}${unit === '' ? '' : ` ${unit}`}${applies ? '' : ', not on this disk'}`;
}
