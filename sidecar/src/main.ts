import { withStorageChecked } from './config/check-storage.ts';
import { loadConfig } from './config/config.ts';
import { configReport } from './config/report.ts';
import { modeOf, USAGE } from './life/arguments.ts';
import { run } from './life/run.ts';
import { verifyDatabase } from './life/verify.ts';
import { VERSION } from './life/version.ts';

const mode = modeOf(process.argv.slice(2));
switch (mode) {
  case 'run':
    await run(loadConfig(process.env));
    break;
  case 'check': {
    const loaded = withStorageChecked(loadConfig(process.env));
    process.stdout.write(configReport(loaded));
    process.exitCode = loaded.errors.length === 0 ? 0 : 2;
    break;
  }
  case 'verify': {
    const { report, code } = await verifyDatabase(loadConfig(process.env).config);
    process.stdout.write(report);
    process.exitCode = code;
    break;
  }
  case 'version':
    process.stdout.write(`${VERSION}\n`);
    break;
  case 'help':
    process.stdout.write(USAGE);
    break;
  default:
    process.stderr.write(USAGE);
    process.exitCode = 2;
}
