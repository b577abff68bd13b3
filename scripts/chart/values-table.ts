import { readFile, writeFile } from 'node:fs/promises';
import { type DocumentedValue, documentedValues } from './documented-values.ts';

// node scripts/chart/values-table.ts [--write]: the table of the chart's values, made from the
// comments of values.yaml; --write puts it into the chart's README.
const BEGIN = '<!-- values: made by `npm run chart:docs` -->';
const END = '<!-- values end -->';

const chart = new URL('../../chart/', import.meta.url);

/** The table as Markdown, a row a value. */
export function valuesTable(values: readonly DocumentedValue[]): string {
  const rows = values.map(
    ({ path, fallback, description }) =>
      `| \`${path}\` | ${cell(fallback)} | ${cell(description)} |`,
  );
  return ['| value | default | meaning |', '|---|---|---|', ...rows].join('\n');
}

/** The README's text with the table in place of the one between its marks. @throws without marks */
export function withTable(readme: string, table: string): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`the README lacks "${BEGIN}" and "${END}"`);
  return `${readme.slice(0, begin)}${BEGIN}\n${table}\n${readme.slice(end)}`;
}

/** A cell ends at a bar that is not escaped. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

if (import.meta.main) {
  const table = valuesTable(
    documentedValues(await readFile(new URL('values.yaml', chart), 'utf8')),
  );
  if (process.argv[2] === '--write') {
    const readme = new URL('README.md', chart);
    await writeFile(readme, withTable(await readFile(readme, 'utf8'), table));
  } else {
    console.log(table);
  }
}
