import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { DRIVER, VARIABLES } from '../../../sidecar/src/config/variables.ts';

it("the README's table names every variable, its default and its meaning", () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  const rows = readme
    .split('\n')
    .filter((line) => /^\|\s*`?STORAGE_/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, name = '', fallback, about]) => [name.replaceAll('`', ''), fallback, about]);
  const absent = ({ name }: { name: string }) =>
    name === DRIVER.name ? 'from the variables that are set' : '-';
  expect(rows).toEqual(
    VARIABLES.map((variable) => [
      variable.name,
      variable.fallback ?? absent(variable),
      variable.about,
    ]),
  );
});
