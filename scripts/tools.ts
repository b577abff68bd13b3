import { catalogue, chartPrograms, clusterPrograms, type ProgramName } from './tools/catalogue.ts';
import { program } from './tools/program.ts';
import { schemaPython } from './tools/schemas.ts';

// node scripts/tools.ts [NAME...]: finds or builds these programs, by default those that the tests
// need, and prints their paths, one a line; --cluster names those of a cluster's node.
const names = process.argv
  .slice(2)
  .flatMap((name) => (name === '--cluster' ? clusterPrograms : name));
const unknown = names.filter((name) => !Object.hasOwn(catalogue, name));
if (unknown.length > 0) {
  console.error(
    `no such program: ${unknown.join(', ')}; known are ${Object.keys(catalogue).join(', ')}`,
  );
  process.exit(2);
}
try {
  const wanted = names.length > 0 ? (names as ProgramName[]) : chartPrograms;
  for (const name of wanted) console.log(await program(name));
  if (names.length === 0) console.log(await schemaPython());
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
