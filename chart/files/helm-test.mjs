// What `helm test` runs: asks every sidecar behind the ops Service whether it runs the driver that the
// chart set, whether storage works, and whether its counts add up. It cannot post a record itself, since
// the API is on the loopback address of each Pod; /readyz tells how long ago a write succeeded.

import { lookup } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const { TEST_OPS_HOST: host, TEST_OPS_PORT: port, TEST_DRIVER: driver } = process.env;
const timeoutMs = Number(process.env.TEST_TIMEOUT_SECONDS ?? 120) * 1000;
const expected = driver === 'none' ? 'noop' : 'up';
const deadline = Date.now() + timeoutMs;

for (let last = ''; ; ) {
  const { passed, report } = await attempt();
  if (passed) {
    console.log(report);
    break;
  }
  // A fresh Pod may still be opening its database, and an old one be about to end.
  if (Date.now() >= deadline) {
    console.error(
      `${report}\nFailed: not so within ${timeoutMs / 1000} s. The log of the container storage says more.`,
    );
    process.exitCode = 1;
    break;
  }
  if (report !== last) console.log(`${report}\nTrying again ...`);
  last = report;
  await sleep(Math.min(2000, Math.max(100, timeoutMs / 20)));
}

/** One look at all addresses. */
async function attempt() {
  let addresses;
  try {
    addresses = await lookup(host, { all: true });
  } catch (error) {
    return {
      passed: false,
      report: `${host}: no address (${error.code}); is a Pod of the Router running?`,
    };
  }
  const results = await Promise.all(addresses.map(look));
  return {
    passed: results.every(({ problems }) => problems.length === 0),
    report: results.map(line).join('\n'),
  };
}

function line({ at, problems, facts }) {
  return problems.length === 0 ? `${at}: ${facts}` : `${at}: ${problems.join('; ')}`;
}

async function look({ address, family }) {
  const at = `${family === 6 ? `[${address}]` : address}:${port}`;
  try {
    const readiness = JSON.parse(await get(at, '/readyz'));
    const books = balance(await get(at, '/metrics'));
    const problems = [...ofReadiness(readiness), ...books.problems];
    const age = readiness.last_write_age_seconds;
    const written = age === null ? '' : `, last write ${age} s ago`;
    const warned = readiness.warnings.map((warning) => `\n  warning: ${warning}`).join('');
    return {
      at,
      problems,
      facts: `driver ${readiness.driver}, storage ${readiness.storage}${written}; ${books.facts}${warned}`,
    };
  } catch (error) {
    return {
      at,
      problems: [
        `${error.message}${error.cause ? ` (${error.cause.code ?? error.cause.message})` : ''}`,
      ],
    };
  }
}

async function get(at, path) {
  const response = await fetch(`http://${at}${path}`, { signal: AbortSignal.timeout(5000) });
  if (response.status !== 200) throw new Error(`${path} answered ${response.status}`);
  return response.text();
}

function ofReadiness({ storage, driver: actual, reason }) {
  const problems = [];
  if (actual !== driver) problems.push(`the driver is ${actual}, and ${driver} was asked for`);
  if (storage !== expected) {
    problems.push(`storage is ${storage}, not ${expected}${reason === null ? '' : `: ${reason}`}`);
  }
  return problems;
}

/** received = stored + duplicate + rejected + dropped + queued, over all kinds. */
function balance(text) {
  const sum = (name) => {
    const series = text.split('\n').filter((row) => row.startsWith(`${name}{`));
    if (series.length === 0) throw new Error(`/metrics has no ${name}`);
    return series.reduce((total, row) => total + Number(row.slice(row.lastIndexOf(' '))), 0);
  };
  const received = sum('agenttier_storage_records_received_total');
  const terms = ['stored', 'duplicate', 'rejected', 'dropped'].map((term) => [
    term,
    sum(`agenttier_storage_records_${term}_total`),
  ]);
  terms.push(['queued', sum('agenttier_storage_queue_records')]);
  const total = terms.reduce((all, [, count]) => all + count, 0);
  const facts = `${received} received = ${terms.map(([term, count]) => `${count} ${term}`).join(' + ')}`;
  return { facts, problems: total === received ? [] : [`the counts do not add up: ${facts}`] };
}
